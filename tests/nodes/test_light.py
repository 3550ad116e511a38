"""The light models in the onnx wheel: well-known networks whose weights are written as a shape and one number."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from onnxconv.execute import run
from onnxconv.load import load
from onnxconv.network import Network

onnxruntime.set_default_logger_severity(4)
FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"

PUBLISHED = {
    "bvlc_alexnet": 60_965_224,
    "inception_v1": 6_998_552,
    "resnet50": 25_557_032,
    "squeezenet": 1_235_496,
    "vgg19": 143_667_240,
}
"""Learned numbers: of Caffe's AlexNet and GoogLeNet, and of torchvision's resnet50, squeezenet1_1 and vgg19."""

NETWORKS = (
    *("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50"),
    *("shufflenet", "squeezenet", "vgg19", "zfnet512"),
)
SMALL = ("inception_v1", "shufflenet", "squeezenet")


def declared(name: str) -> int:
    """Real numbers that nodes read and the file holds, or declares by a shape, running means and variances aside."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    running = {i for node in model.graph.node if node.op_type == "BatchNormalization" for i in node.input[3:]}
    filled = [node for node in model.graph.node if node.op_type == "ConstantOfShape"]
    sizes = {node.output[0]: math.prod(shapes[node.input[0]].tolist()) for node in filled}
    sizes |= {name: array.size for name, array in shapes.items() if array.dtype.kind == "f"}
    used = {name for node in model.graph.node for name in node.input}
    return sum(size for name, size in sizes.items() if name in used - running)


def drawn(name: str) -> onnx.ModelProto:
    """The network with random weights: with all equal, its channels are, and every class is as likely as the next."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rng = np.random.default_rng(0)
    variances = {node.input[4] for node in model.graph.node if node.op_type == "BatchNormalization"}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        shape = tuple(shapes[node.input[0]])
        array = rng.normal(scale=math.sqrt(2 / max(1, math.prod(shape[1:]))), size=shape).astype(np.float32)
        array = np.abs(array) + np.float32(0.5) if node.output[0] in variances else array
        model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        model.graph.node.remove(node)
    return model


def test_every_light_model_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.onnx")} == {f"light_{name}" for name in NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_written_as_a_shape_are_counted(name: str) -> None:
    graph, weights = load(FOLDER / f"light_{name}.onnx")
    learned = sum(param.learned for param in graph.params())
    assert learned == declared(name) == PUBLISHED.get(name, learned)
    assert f"{learned:,}" in str(Network(graph, weights, name).report())


@pytest.mark.parametrize("name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_it_gives_what_onnx_stored(name: str) -> None:
    graph, weights = load(FOLDER / f"light_{name}.onnx")
    (name_in, type), (output,) = graph.inputs[0], graph.outputs
    shape = tuple(int(n) for n in type.shape)
    ramp = (np.arange(math.prod(shape)).reshape(shape) / math.prod(shape)).astype(np.float32)
    stored = numpy_helper.to_array(onnx.load_tensor(FOLDER / f"light_{name}_output_0.pb"))
    found = run(graph, weights, {name_in: ramp})[output]
    assert found.shape == stored.shape
    np.testing.assert_allclose(found, stored, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_with_random_weights_it_computes_what_onnxruntime_does(name: str, tmp_path: Path) -> None:
    model = drawn(name)
    onnx.save(model, tmp_path / "model.onnx")
    graph, weights = load(tmp_path / "model.onnx")
    (name_in, type), (output,) = graph.inputs[0], graph.outputs
    x = np.random.default_rng(1).normal(size=[int(n) for n in type.shape]).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    expected = session.run(None, {name_in: x})[0]
    assert expected.std() > 0.01 * expected.max(), "the classes differ"
    np.testing.assert_allclose(run(graph, weights, {name_in: x})[output], expected, rtol=1e-3, atol=1e-6)
