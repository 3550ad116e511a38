"""Costs of small graphs by hand: learned numbers, multiply-adds, bytes, and the peak of live tensors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onnxconv.cost import Costs, costs
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import FoldedBias, FoldedWeight, Graph, Initial, Node, Param, Recipe, TensorType, Tiled
from onnxconv.ops import Add, BatchNorm, Conv, ConvTranspose, Dense, Flatten, Operator, Relu, Reshape, Shape, Transpose


def node(
    name: str, op: Operator, inputs: tuple[str, ...], *shapes: Shape, recipes: dict[str, Recipe] | None = None
) -> Node:
    params = tuple(
        (role, Param(f"{name}.{role}", "float32", shape, (recipes or {}).get(role, Initial(f"{name}.{role}", shape))))
        for role, shape in op.weight_shapes(*shapes).items()
    )
    return Node(name, op, inputs, name, TensorType("float32", op.out_shape(*shapes)), params)


def graph(shape: Shape, *nodes: Node, dtype: str = "float32") -> Graph:
    return Graph("g", (("x", TensorType(dtype, shape)),), nodes, (nodes[-1].output,))


def of_one(shape: Shape, op: Operator, **recipes: Recipe) -> Costs:
    return costs(graph(shape, node("y", op, ("x",), shape, recipes=recipes)))


IMAGE: Shape = ("N", 3, 5, 5)
SAME = (Axis(3, pad=(1, 1)),) * 2


def test_a_convolution() -> None:
    layer = of_one(IMAGE, Conv(SAME, 8)).layers["y"]
    assert layer.params == 8 * 3 * 9 + 8
    assert layer.macs == 8 * 3 * 9 * 25
    assert layer.valid_macs == 8 * 3 * (3 * 5 - 2) ** 2
    assert layer.weight_bytes == 4 * layer.params
    assert layer.activation_bytes == 4 * 8 * 25


def test_a_transposed_convolution_and_a_dense_layer() -> None:
    layer = of_one((1, 4, 6), ConvTranspose((TransposedAxis(4, 2, pad=(1, 1)),), 2, 2)).layers["y"]
    assert (layer.params, layer.macs, layer.valid_macs) == (4 * 4 + 2, 4 * 6 * 4, 4 * (6 * 4 - 2))
    dense = of_one(("N", 10), Dense(3)).layers["y"]
    assert (dense.params, dense.macs, dense.valid_macs, dense.activation_bytes) == (33, 30, 30, 12)


@pytest.mark.parametrize("batch", [1, 16, "N"])
def test_the_batch_counts_as_one(batch: int | str) -> None:
    assert of_one((batch, 3, 5, 5), Conv(SAME, 8)) == of_one(IMAGE, Conv(SAME, 8))


@pytest.mark.parametrize("batch", [1, "N"])
def test_one_image_counts_wherever_the_batch_stands(batch: int | str) -> None:
    """Heads of attention, [N, 2, 4, 8] as [2·N, 4, 8], then with the batch in the middle."""
    x: Shape = (batch, 2, 4, 8)
    heads = node("a", Reshape((-1, 4, 8)), ("x",), x)
    found = costs(graph(x, heads, node("b", Transpose((1, 0, 2)), ("a",), heads.type.shape)))
    assert [layer.activation_bytes for layer in found.layers.values()] == [256, 256]
    assert found.totals.peak_activation_bytes == 512


def test_a_tied_kernel_is_learned_once_and_stored_in_full() -> None:
    kernel = Initial("y.kernel", (4, 1, 3, 3))
    layer = of_one(("N", 3, 5, 5), Conv(SAME, 12, 3, bias=False), weight=Tiled(kernel, (3, 1, 1, 1))).layers["y"]
    assert (layer.params, layer.weight_bytes) == (36, 4 * 108)


def test_running_statistics_are_not_learned_and_a_folded_batch_norm_is() -> None:
    statistics = {r: Initial(r, (3,), learned=False) for r in ("running_mean", "running_var")}
    assert of_one(IMAGE, BatchNorm(), **statistics).layers["y"].params == 6
    scale, var = Initial("scale", (8,)), Initial("var", (8,), learned=False)
    weight = FoldedWeight(Initial("w", (8, 3, 3, 3)), scale, var, 1e-5)
    bias = FoldedBias(None, scale, Initial("shift", (8,)), Initial("mean", (8,), learned=False), var, 1e-5)
    assert of_one(IMAGE, Conv(SAME, 8), weight=weight, bias=bias).layers["y"].params == 8 * 27 + 8


def test_shared_weights_count_at_the_first_layer() -> None:
    first = node("a", Conv(SAME, 3), ("x",), IMAGE)
    second = replace(first, name="b", inputs=("a",), output="b")
    found = costs(graph(IMAGE, first, second))
    assert (found.layers["a"].params, found.layers["b"].params) == (84, 0)
    assert (found.layers["a"].weight_bytes, found.layers["b"].weight_bytes) == (336, 0)
    assert (found.totals.params, found.totals.weight_bytes) == (84, 336)
    assert found.totals.macs == 2 * int(found.layers["a"].macs or 0)


def test_symbolic_sizes_hide_what_depends_on_them_and_nothing_else() -> None:
    shape: Shape = ("N", 3, "H", 5)
    found = costs(graph(shape, node("a", Conv(SAME, 8), ("x",), shape), node("b", Relu(), ("a",), ("N", 8, "H", 5))))
    a, b = found.layers["a"], found.layers["b"]
    assert (a.params, a.weight_bytes) == (8 * 27 + 8, 4 * (8 * 27 + 8))
    assert (a.macs, a.valid_macs, a.activation_bytes) == (None, None, None)
    assert (b.macs, b.activation_bytes) == (0, None)
    assert (found.totals.macs, found.totals.peak_activation_bytes, found.totals.params) == (None, None, 224)


def test_the_peak_counts_what_is_alive_while_a_node_runs() -> None:
    """x is 300 bytes, every other tensor 800; x is read once more by the last node."""
    wide: Shape = ("N", 8, 5, 5)
    a = node("a", Conv(SAME, 8), ("x",), IMAGE)
    b = node("b", Relu(), ("a",), wide)
    c = node("c", Add(), ("a", "b"), wide, wide)
    d = node("d", Relu(), ("c",), wide)
    e = node("e", Conv(SAME, 8), ("x",), IMAGE)
    assert costs(graph(IMAGE, a)).totals.peak_activation_bytes == 300 + 800
    assert costs(graph(IMAGE, a, b)).totals.peak_activation_bytes == 1600
    assert costs(graph(IMAGE, a, b, c, d)).totals.peak_activation_bytes == 2400
    assert costs(graph(IMAGE, a, b, d_reads_a(d), e)).totals.peak_activation_bytes == 1600 + 300
    both = Graph("g", (("x", TensorType("float32", IMAGE)),), (a, b, d_reads_a(d)), ("a", "b", "d"))
    assert costs(both).totals.peak_activation_bytes == 2400


def d_reads_a(d: Node) -> Node:
    return replace(d, inputs=("b",))


def test_bytes_follow_the_data_type() -> None:
    shape: Shape = ("N", 3, 4)
    half = Node("y", Flatten(), ("x",), "y", TensorType("float16", ("N", 12)))
    assert costs(graph(shape, half, dtype="float16")).totals.peak_activation_bytes == 48


def test_totals_are_the_sums_of_the_layers() -> None:
    a = node("a", Conv(SAME, 8), ("x",), IMAGE)
    b = node("b", Conv(SAME, 4), ("a",), ("N", 8, 5, 5))
    found = costs(graph(IMAGE, a, b))
    layers = found.layers.values()
    assert found.totals.params == sum(layer.params for layer in layers)
    assert found.totals.macs == sum(layer.macs or 0 for layer in layers)
    assert found.totals.valid_macs == sum(layer.valid_macs or 0 for layer in layers)
    assert list(found.layers) == ["a", "b"]
