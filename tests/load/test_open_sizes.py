"""Models whose sizes are open, as torch exports them: shapes by formula, numbers as torch computes them, at several sizes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from meaning import assert_means_the_same
from onnx import helper
from oracles.hand_models import integers, model, saved

import onnxconv
from onnxconv.emit import to_bytes
from onnxconv.errors import ModelError, UsageError
from onnxconv.execute import run, seeded_inputs
from onnxconv.load import load
from onnxconv.receptive import receptive_fields

Shape = tuple[int | str, ...]


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


ROUND = {
    "four": np.array([4]),
    "eight": np.array([8]),
    "two": np.array([2]),
    "rest": np.array([-1]),
    "i": np.array([2]),
    "flat": np.array([0, -1]),
}
SIZES = [node("Shape", "x", "s"), node("Shape", "x", "n", start=0, end=1), node("Gather", "s i", "h")]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("Reshape", "x flat", "f"), node("Reshape", "f s", "y")], ("N", 4, "H", 8)),
        (
            [node("Mul", "n four", "m"), node("Div", "m two", "d"), node("Concat", "d rest h", "to", axis=0),
             node("Reshape", "x flat", "f"), node("Reshape", "f to", "y")],
            ("2*N", 16, "H"),
        ),
        ([node("Mul", "h h", "m"), node("Concat", "m n", "to", axis=0), node("Expand", "two to", "e"),
          node("Cast", "e", "y", to=1)], ("H**2", "N")),
        ([node("Add", "h two", "m"), node("Div", "m four", "d"), node("Concat", "d n", "to", axis=0),
          node("Expand", "two to", "e"), node("Cast", "e", "y", to=1)], ("(H+2)//4", "N")),
        ([node("Concat", "n two h eight", "to", axis=0), node("ConstantOfShape", "to", "z"),
          node("Concat", "x z", "y", axis=1)], ("N", 6, "H", 8)),
    ],
    ids=["back", "halved", "a constant spread", "rounded down", "zeros"],
)  # fmt: skip
def test_open_sizes_of_another_tensor(nodes: list[Any], expected: Shape, tmp_path: Path) -> None:
    proto = model([*SIZES, *nodes], {"x": ("N", 4, "H", 8)}, ROUND)
    graph = assert_means_the_same(proto, integers((2, 4, 5, 8)), tmp_path)
    assert graph.types()["y"].shape == expected


def test_an_input_whose_shape_alone_matters_is_not_seen(tmp_path: Path) -> None:
    constant = np.ones((1, 4, 1, 8), np.float32)
    proto = model([node("Shape", "x", "s"), node("Expand", "c s", "y")], {"x": ("N", 4, "H", 8)}, {"c": constant})
    graph, _ = load(saved(proto, tmp_path))
    assert graph.nodes[-1].inputs == ("c", "x")
    assert receptive_fields(graph)["y"] == {}
    document = onnxconv.report(tmp_path / "model.onnx", at=[("y", (0, 0))]).document
    assert document["positions"][0]["inputs"] == {}
    assert document["advice"] == []


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Div", "h two", "d"), node("Concat", "n d four", "to", axis=0), node("Reshape", "x to", "y")],
        [node("Concat", "n h", "to", axis=0), node("Reshape", "x to", "y")],
        [node("Max", "h four", "m"), node("Concat", "n m", "to", axis=0), node("Expand", "two to", "y")],
    ],
    ids=["may not divide", "too few", "the larger"],
)
def test_what_cannot_be_proved_is_named_with_the_remedy(nodes: list[Any], tmp_path: Path) -> None:
    path = saved(model([*SIZES, *nodes], {"x": ("N", 4, "H", 8)}, ROUND), tmp_path)
    with pytest.raises(ModelError) as refused:
        load(path)
    (*_, last) = refused.value.diagnostics[:1]
    assert last.code == "symbolic-size"
    assert "--input-shape x=N,4,H,8" in last.fix


def test_a_formula_for_an_input_says_what_divides_it(tmp_path: Path) -> None:
    """Windows of 4 positions: [N, H, 8] → [N, H//4, 4, 8] → [N·H//4, 4, 8] and back."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s one", "h"),
        node("Div", "h four", "d"),
        node("Gather", "s zero", "n"),
        node("Concat", "n d four eight", "to", axis=0),
        node("Reshape", "x to", "a"),
        node("Mul", "n d", "m"),
        node("Concat", "m four eight", "flat", axis=0),
        node("Reshape", "a flat", "b"),
        node("Relu", "b", "r"),
        node("Reshape", "r s", "y"),
    ]
    held = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "four": np.array([4]),
        "eight": np.array([8]),
    }
    path = saved(model(nodes, {"x": ("N", "H", 8)}, held), tmp_path)
    with pytest.raises(ModelError, match="such as 4"):
        load(path)
    graph, weights = load(path, input_shapes={"x": ("N", "4*h", 8)})
    assert graph.types()["b"].shape == ("N*h", 4, 8)
    assert graph.types()["y"].shape == ("N", "4*h", 8)
    x = integers((2, 12, 8))
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], np.maximum(x, 0))
    with pytest.raises(UsageError, match="the graph says 4"):
        run(graph, weights, {"x": integers((2, 10, 8))})
    onnxconv.read(path, input_shapes={"x": (2, 12, 8)})
    with pytest.raises(UsageError, match="cannot become"):
        onnxconv.read(graph, input_shapes={"x": (2, 10, 8)})
    assert onnxconv.read(graph, input_shapes={"x": (2, 12, 8)}).graph.types()["b"].shape == (6, 4, 8)
    verified = onnxconv.verify(path, probes=["shape"], input_shapes={"x": ("N", "4*h", 8)})
    assert verified.document()["verdict"] == "pass"


@pytest.mark.parametrize("size", ["a*b", "s0 + s1", "(n+1)//2", "4*n", "a-b"])
def test_formulas_of_several_sizes_are_run_at_the_sizes_that_are_given(size: str, tmp_path: Path) -> None:
    path = saved(model([node("Relu", "x", "y")], {"x": (size, 3)}, {}), tmp_path)
    network = onnxconv.read(path)
    x = integers((12, 3))
    np.testing.assert_array_equal(network.run({"x": x})["y"], np.maximum(x, 0))
    assert seeded_inputs(network.graph, shapes={"x": (12, 3)})["x"].shape == (12, 3)


def layers(torch: Any) -> dict[str, tuple[Callable[[Any], Any], dict[str, Any], Shape, Shape]]:
    """By name: what is computed of x by what has weights, x's shape, and the shape of the output."""
    nn, image = torch.nn, ("N", 3, "H", "W")

    def shuffled(x: Any, conv: Any) -> Any:
        n, c, h, w = (x := conv(x)).shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)

    def pixels(x: Any, conv: Any) -> Any:
        n, c, h, w = (x := conv(x)).shape
        return x.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, h * 2, w * 2)

    def attention(x: Any, qkv: Any) -> Any:
        n, t, c = x.shape
        q, k, v = qkv(x).reshape(n, t, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
        return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c)

    def nonlocal_(x: Any, conv: Any) -> Any:
        n, c, h, w = (x := conv(x)).shape
        flat = x.view(n, c, h * w)
        return (flat @ torch.softmax(flat.transpose(1, 2) @ flat, -1)).view(n, c, h, w) + x

    def tokens(x: Any, conv: Any, norm: Any) -> Any:
        x = conv(x).flatten(2).transpose(1, 2)
        return norm(torch.cat([torch.full((1, 1, 8), 0.5).expand(x.shape[0], -1, -1), x], 1))

    def last(x: Any, conv: Any, norm: Any) -> Any:
        return norm(conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    halved = ("N", 8, "(H+1)//2", "(W+1)//2")
    conv, strided = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, 2, 1)
    return {
        "channel shuffle": (shuffled, {"conv": strided}, image, halved),
        "pixel shuffle": (pixels, {"conv": conv}, image, ("N", 2, "2*H", "2*W")),
        "group norm": (lambda x, c, g: g(c(x)), {"c": strided, "g": nn.GroupNorm(4, 8)}, image, halved),
        "attention": (attention, {"qkv": nn.Linear(16, 48)}, ("N", "T", 16), ("N", "T", 16)),
        "non-local": (nonlocal_, {"conv": strided}, image, halved),
        "class token": (tokens, {"conv": nn.Conv2d(3, 8, 8, 8), "norm": nn.LayerNorm(8)}, ("N", 3, 16, 16), ("N", 5, 8)),
        "channels last": (last, {"conv": strided, "norm": nn.LayerNorm(8)}, image, halved),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["channel shuffle", "pixel shuffle", "group norm", "attention", "non-local", "class token", "channels last"],
)
def test_torch_exports_with_open_sizes(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    compute, parts, shape, expected = layers(torch)[name]

    class Module(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleDict(parts)

        def forward(self, x: Any) -> Any:
            return compute(x, *self.parts.values())

    def example(sizes: tuple[int, ...]) -> Any:
        return torch.randn([n if isinstance(n, int) else sizes[axis] for axis, n in enumerate(shape)])

    path, module = tmp_path / "exported.onnx", Module().eval()
    axes = {axis: n for axis, n in enumerate(shape) if isinstance(n, str)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (example((2, 6, 12, 10)),), path, dynamo=False, opset_version=17,
                          input_names=["x"], output_names=["y"], dynamic_axes={"x": axes})  # fmt: skip
    graph, weights = load(path)
    assert graph.types()["y"].shape == expected
    (tmp_path / "emitted.onnx").write_bytes(to_bytes(graph, weights))
    again, read = load(tmp_path / "emitted.onnx")
    assert again.types()["y"].shape == expected
    for sizes in ((3, 5, 9, 16), (1, 7, 14, 11)):
        x = example(sizes)
        with torch.no_grad():
            wanted = module(x).numpy()
        for g, w in ((graph, weights), (again, read)):
            np.testing.assert_allclose(run(g, w, {"x": x.numpy()})["y"], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_what_has_open_sizes_is_verified_and_built_again(tmp_path: Path) -> None:
    """A reshape back to the sizes of another tensor, on onnxruntime: file, layers, whole network; then in portable form."""
    held = {
        "w": integers((4, 4, 3, 1)),
        "flat": np.array([0, 2, -1]),
        "one": np.ones(2, np.float32),
        "none": np.zeros(2, np.float32),
    }
    nodes = [
        node("Conv", "x w", "c", kernel_shape=[3, 1], pads=[1, 0, 1, 0], strides=[2, 1]),
        node("Shape", "c", "s"),
        node("Reshape", "c flat", "f"),
        node("InstanceNormalization", "f one none", "g"),
        node("Reshape", "g s", "b"),
        node("Relu", "b", "y"),
    ]
    path = saved(model(nodes, {"x": ("N", 4, "H", "W")}, held), tmp_path)
    network = onnxconv.read(path)
    assert {check["verdict"] for check in network.verify().document()["checks"]} == {"pass"}
    account = network.rewrite(tmp_path / "portable.onnx")
    assert account is not None
    assert onnxconv.read(tmp_path / "portable.onnx").graph.types()["y"].shape == ("N", 4, "(H+1)//2", "W")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [("N", "N"), ("a*b", 3), ("4*n", 3)], ids=str)
def test_images_that_cannot_be_run_one_by_one_are_no_failure(shape: Shape, tmp_path: Path) -> None:
    path = saved(model([node("Relu", "x", "y")], {"x": shape}, {}), tmp_path)
    (check,) = onnxconv.verify(path, probes=["determinism"]).document()["checks"]
    assert check["verdict"] == "pass"
    assert "batch not available" in check["note"]
