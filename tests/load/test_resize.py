"""Resize and Upsample of every opset mean what onnxruntime says they mean, within what rounding explains, and torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from meaning import assert_means_the_same, by_definition, by_onnxruntime
from onnx import helper
from oracles.hand_models import integers, model, one, saved

import onnxconv
from onnxconv.errors import ModelError
from onnxconv.geometry import COORDINATES, NEAREST, Sampling
from onnxconv.load import load
from onnxconv.ops import Identity, Rescale, Resize

SHAPE = (2, 3, 6, 8)
U = 2.0**-24


def resize(opset: int = 19, shape: tuple[int | str, ...] = SHAPE, **given: Any) -> onnx.ModelProto:
    """A Resize by `scales` or to `sizes`, with a `roi` or none."""
    named = "roi" in given or opset < 13  # opset 11 demands it, be it empty
    operands: dict[str, np.ndarray] = {"roi" if named else "_roi": np.array(given.pop("roi", []), np.float32)}
    if "scales" in given:
        operands["s"] = np.array(given.pop("scales"), np.float32)
    else:
        operands |= {"_s": np.array([]), "z": np.array(given.pop("sizes"))}
    return one("Resize", shape, operands, opset, **given)


def assert_close(proto: onnx.ModelProto, folder: Path, x: np.ndarray) -> None:
    """Within the bound that the operator states for itself."""
    graph, weights = load(saved(proto, folder))
    (node,) = graph.nodes
    ours, theirs = by_definition(graph, weights, x), by_onnxruntime(proto.SerializeToString(), x)
    assert ours.shape == theirs.shape == node.type.shape
    n = node.op.roundings(x.shape)
    bound = (n + 2) * U / (1 - n * U) * node.op.magnitude(x.astype(np.float64))
    assert (np.abs(ours.astype(np.float64) - theirs) <= bound).all()


@pytest.mark.parametrize("opset", [11, 13, 18, 19])
@pytest.mark.parametrize("coordinates", COORDINATES[:6])
@pytest.mark.parametrize("nearest", NEAREST)
def test_nearest(opset: int, coordinates: str, nearest: str, tmp_path: Path) -> None:
    proto = resize(opset, scales=[1, 1, 2, 3], coordinate_transformation_mode=coordinates, nearest_mode=nearest)
    if (coordinates == "half_pixel_symmetric" and opset < 19) or (coordinates == "tf_half_pixel_for_nn" and opset > 11):
        with pytest.raises(ModelError, match=f"its coordinates of opset {opset} are '{coordinates}'"):
            load(saved(proto, tmp_path))
        return
    x = integers(SHAPE, 1, -99, 99)
    if coordinates == "tf_half_pixel_for_nn" and nearest != "floor":
        graph, weights = load(saved(proto, tmp_path))
        np.testing.assert_array_equal(by_definition(graph, weights, x), by_onnxruntime(proto.SerializeToString(), x))
        return
    assert_means_the_same(proto, x, tmp_path)


@pytest.mark.parametrize(
    "coordinates", ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners"]
)
@pytest.mark.parametrize(
    "to",
    [{"scales": [1, 1, 0.6, 2.5]}, {"scales": [1, 1, 2, 0.5]}, {"sizes": [2, 3, 5, 11]}, {"sizes": [2, 3, 1, 16]}],
    ids=str,
)
@pytest.mark.parametrize("mode", [{"mode": "linear"}, {"mode": "cubic"}, {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, {"mode": "linear", "antialias": 1}, {"mode": "cubic", "antialias": 1}], ids=str)  # fmt: skip
def test_weighted(coordinates: str, to: dict[str, Any], mode: dict[str, Any], tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    assert_close(resize(coordinate_transformation_mode=coordinates, **to, **mode), tmp_path, x)


@pytest.mark.parametrize("n", [1, 7, 24, 57])
@pytest.mark.parametrize("out", [1, 5, 24, 61, 400])
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners"])
def test_rounded_positions_stay_within_the_bound(n: int, out: int, coordinates: str, tmp_path: Path) -> None:
    x = np.random.default_rng(n + out).normal(size=(1, 1, 2, n)).astype(np.float32)
    proto = resize(shape=x.shape, sizes=[1, 1, 2, out], mode="linear", coordinate_transformation_mode=coordinates)
    assert_close(proto, tmp_path, x)


@pytest.mark.parametrize("nearest", NEAREST)
def test_the_nearest_of_sizes_of_every_kind(nearest: str, tmp_path: Path) -> None:
    """Bit for bit with coordinates align_corners, and where ties go down: float32 positions never cross a boundary there."""
    for n in (1, 2, 5, 8, 11):
        for out in (1, 3, 4, 7, 15):
            x = np.arange(n, dtype=np.float32).reshape(1, 1, 1, n)
            for coordinates in (
                "align_corners",
                *(["half_pixel", "asymmetric"] if nearest == "round_prefer_floor" else []),
            ):
                proto = resize(
                    shape=x.shape,
                    sizes=[1, 1, 1, out],
                    coordinate_transformation_mode=coordinates,
                    nearest_mode=nearest,
                )
                ours = by_definition(*load(saved(proto, tmp_path)), x)
                np.testing.assert_array_equal(ours, by_onnxruntime(proto.SerializeToString(), x))


def test_onnxruntime_may_floor_a_whole_position(tmp_path: Path) -> None:
    """1 ÷ (2 ÷ 14) is 7; in float32, with 2 ÷ 14 rounded first, it is 6.9999995, and 1.32 reads position 6. torch reads 7."""
    torch = pytest.importorskip("torch")
    x = np.arange(14, dtype=np.float32).reshape(1, 1, 1, 14)
    proto = resize(shape=x.shape, sizes=[1, 1, 1, 2], coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    assert by_definition(*load(saved(proto, tmp_path)), x).tolist() == [[[[0, 7]]]]
    assert torch.nn.functional.interpolate(torch.tensor(x), size=(1, 2)).tolist() == [[[[0, 7]]]]
    assert by_onnxruntime(proto.SerializeToString(), x).tolist() == [[[[0, 6]]]]


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_cropped_and_resized(mode: str, tmp_path: Path) -> None:
    roi = [0, 0, 0.25, -0.5, 1, 1, 0.75, 1.25]
    proto = resize(
        roi=roi,
        sizes=[2, 3, 5, 7],
        mode=mode,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=7.5,
    )
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    assert (by_onnxruntime(proto.SerializeToString(), x) == 7.5).any()
    assert_close(proto, tmp_path, x)


@pytest.mark.parametrize("scales", [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 3.0, 1.5]])
@pytest.mark.parametrize(("op", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_the_plain_modes_of_old(op: str, opset: int, mode: str, scales: list[float], tmp_path: Path) -> None:
    given: dict[str, Any] = {"scales": scales} if opset < 9 else {"constants": {"s": np.array(scales, np.float32)}}
    proto = one(op, SHAPE, opset=opset, mode=mode, **given)
    if mode == "nearest":
        assert_means_the_same(proto, integers(SHAPE, 1), tmp_path)
    else:
        assert_close(proto, tmp_path, integers(SHAPE, 1))


def test_shrinking_by_the_nearest_of_old(tmp_path: Path) -> None:
    """The position above, as in onnx's own test of opset 10; an axis that grows takes the one below."""
    for scales in ([1, 1, 0.6, 0.6], [1, 1, 2, 0.6]):
        proto = one("Resize", SHAPE, {"s": np.array(scales, np.float32)}, 10)
        assert_means_the_same(proto, integers(SHAPE, 1), tmp_path)


def test_axes(tmp_path: Path) -> None:
    x = integers(SHAPE, 1)
    for axes, sizes in (([3, 2], [5, 9]), ([-1], [3])):
        assert_means_the_same(resize(18, sizes=sizes, axes=axes), x, tmp_path)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [[7, 8], [9, 20], [3, 3]])
def test_in_proportion(policy: str, sizes: list[int], tmp_path: Path) -> None:
    proto = resize(18, sizes=sizes, axes=[2, 3], keep_aspect_ratio_policy=policy)
    graph, weights = load(saved(proto, tmp_path))
    x = integers(SHAPE, 1)
    expected = by_onnxruntime(proto.SerializeToString(), x)
    np.testing.assert_array_equal(by_definition(graph, weights, x), expected)


READ: list[tuple[onnx.ModelProto, object]] = [
    (resize(shape=("N", 3, "H", 8), scales=[1, 1, 2, 0.5]), Resize((Rescale(2, (2, 1)), Rescale(3, (1, 2))))),
    (resize(scales=[1, 1, 1 / 3, np.float32(0.7)]), Resize((Rescale(2, (1, 3)), Rescale(3, (7, 10))))),
    (resize(sizes=[2, 3, 6, 9], mode="linear"), Resize((Rescale(3, size=9),), Sampling("linear"))),
    (resize(sizes=[2, 3, 6, 8], mode="linear"), Identity()),
    (resize(scales=[1, 1, 1, 1]), Identity()),
    (resize(scales=[1, 1, 1, 2], mode="linear", nearest_mode="ceil", exclude_outside=1), Resize((Rescale(3, (2, 1)),), Sampling("linear"))),
]  # fmt: skip


@pytest.mark.parametrize(("proto", "op"), READ)
def test_what_is_read(proto: onnx.ModelProto, op: object, tmp_path: Path) -> None:
    assert load(saved(proto, tmp_path))[0].nodes[0].op == op


def test_a_size_that_is_twice_the_input_s(tmp_path: Path) -> None:
    """As exporters compute it: the shape of x, sliced, times 2."""
    nodes = [
        helper.make_node("Shape", ["x"], ["n"]),
        helper.make_node("Slice", ["n", "two", "four"], ["space"]),
        helper.make_node("Slice", ["n", "zero", "two"], ["front"]),
        helper.make_node("Mul", ["space", "two"], ["large"]),
        helper.make_node("Concat", ["front", "large"], ["z"], axis=0),
        helper.make_node(
            "Resize", ["x", "", "", "z"], ["y"], coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
    ]
    constants = {"zero": np.array([0]), "two": np.array([2]), "four": np.array([4])}
    graph = assert_means_the_same(model(nodes, {"x": ("N", 3, "H", "W")}, constants), integers(SHAPE), tmp_path)
    assert graph.nodes[-1].type.shape == ("N", 3, "2*H", "2*W")


@pytest.mark.parametrize(
    ("code", "proto"),
    [
        ("mode", resize(scales=[1, 1, 2, 2], mode="area")),
        ("attribute-length", resize(scales=[2, 2])),
        ("attribute-length", resize(scales=[2, 2], axes=[2])),
        ("scale", resize(scales=[1, 1, -1, 2])),
        ("scale", resize(scales=[1, 1, np.nan, 2])),
        ("empty-output", resize(scales=[1, 1, 0.1, 2])),
        ("attribute-length", resize(scales=[1, 1, 2, 2], roi=[1], coordinate_transformation_mode="tf_crop_and_resize")),
        ("too-large", resize(scales=[1, 1, 2**30, 2**30])),
    ],
)
def test_refusals(code: str, proto: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(saved(proto, tmp_path))
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize(
    ("mode", "aligned"),
    [("nearest", False), *((mode, aligned) for mode in ("linear", "cubic") for aligned in (False, True))],
)
def test_torch_upsamples_alike(mode: str, aligned: bool) -> None:
    torch = pytest.importorskip("torch")
    from onnxconv.resolve import resolve
    from onnxconv.spec import parse

    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    said = f"upsample: {{factor: 3, mode: {mode}, align_corners: {str(aligned).lower()}}}"
    (node,) = resolve(parse(f"inputs: {{x: 'float64[2, 3, 5, 4]'}}\nlayers:\n- {said}")).nodes
    names = {"linear": "bilinear", "cubic": "bicubic"}
    extra = {} if mode == "nearest" else {"align_corners": aligned}
    wanted = torch.nn.functional.interpolate(torch.tensor(x), scale_factor=3, mode=names.get(mode, mode), **extra)
    np.testing.assert_allclose(node.op.define(x), wanted.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("coordinates", ["asymmetric", "align_corners"])
@pytest.mark.parametrize("shape", [("N", 3, 9, 12), ("N", 3, "H", 12)])
def test_sizes_beside_open_ones(opset: int, coordinates: str, shape: tuple[str | int, ...], tmp_path: Path) -> None:
    """17 ÷ 9 as float32 times 9 is below 17, so that scales give 16 positions, or sizes that were not asked for."""
    layer = {"resize": {"size": [17, 5], "mode": "linear", "coordinates": coordinates}}
    if coordinates == "asymmetric":
        layer["resize"] |= {"mode": "nearest", "round": "floor"}
    sizes = ", ".join(map(str, shape))
    network = onnxconv.read({"inputs": {"x": f"float32[{sizes}]"}, "layers": [layer]})
    network.build(tmp_path / "m.onnx", opset=opset)
    (node,) = load(tmp_path / "m.onnx")[0].nodes
    assert node.op == network.graph.nodes[0].op
    assert node.type.shape == ("N", 3, 17, 5)
    x = integers((2, 3, 9, 12), 1, -99, 99)
    theirs = by_onnxruntime((tmp_path / "m.onnx").read_bytes(), x)
    assert theirs.shape == (2, 3, 17, 5)
    np.testing.assert_allclose(theirs, node.op.define(x.astype(np.float64)), rtol=1e-5, atol=1e-3)
