"""Evidence for each vector that is held to be at fault."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.cases import cases
from nodes.listed import FAULTY
from nodes.spellings import Spelling, by_onnxruntime, whole


def case(operator: str, name: str):
    return next(case for case in cases(operator) if case.name == name)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_align_corners_puts_the_last_pixel_on_the_last_pixel(mode: str) -> None:
    """x_original = x_resized · (length_original − 1) ÷ (length_resized − 1), `length_resized` being "the length of the
    resized tensor" (ONNX, Resize): that of the output, which is whole. So the corners stay what they are, as the mode's
    name says, and as they do in onnxruntime. The vectors divide by scale · length_original − 1, a fraction.
    """
    vector = case("Resize", f"test_resize_downsample_scales_{mode}_align_corners")
    (x,), (y,) = vector.inputs.values(), vector.outputs.values()
    corners = x[..., [0, 0, -1, -1], [0, -1, 0, -1]] if y.shape[2] > 1 else x[..., [0, 0], [0, -1]]

    def at_corners(found: np.ndarray) -> np.ndarray:
        return found[..., [0, 0, -1, -1], [0, -1, 0, -1]] if y.shape[2] > 1 else found[..., [0, 0], [0, -1]]

    (judge,) = by_onnxruntime(vector.model, vector.inputs)
    np.testing.assert_allclose(at_corners(judge), corners, rtol=1e-6)
    assert np.abs(at_corners(y) - corners).max() > 0.5
    assert vector.name in FAULTY


def test_unpooling_puts_values_back_where_pooling_found_them() -> None:
    """Pooling 5×5 pixels lists places among these 25; the vector reads its places as among 4×4, and pads the result."""
    x = np.zeros((1, 1, 5, 5), np.float32)
    x[0, 0, [1, 1, 3, 3], [1, 3, 1, 3]] = [5, 6, 7, 8]
    pool = Spelling("MaxPool", 12, {"x": x}, {}, {"kernel_shape": [2, 2], "strides": [2, 2]}, outputs=2)
    values, places = by_onnxruntime(pool.model(), pool.inputs)
    unpool = Spelling("MaxUnpool", 11, {"v": values, "p": places}, {"s": whole(1, 1, 5, 5)}, pool.attributes)
    (back,) = by_onnxruntime(unpool.model(), unpool.inputs)
    np.testing.assert_array_equal(back, x)
    vector = case("MaxUnpool", "test_maxunpool_export_with_output_shape")
    given, (y,) = vector.inputs, vector.outputs.values()
    np.testing.assert_array_equal(y, x)
    assert given["xI"].reshape(-1).tolist() != places.reshape(-1).tolist()
    assert vector.name in FAULTY
