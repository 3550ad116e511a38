"""What lowered layers compute, against loops over single numbers that know none of the rewriting."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import loops

from onnxconv.errors import SpecError
from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.resolve import resolve
from onnxconv.spec import parse
from onnxconv.weights import seeded

Array = npt.NDArray[np.float64]


def graph(layers: str, shape: tuple[int, ...]) -> Graph:
    return resolve(parse(f"inputs: {{x: 'float64{list(shape)}'}}\nlayers:\n{layers}"))


def numbers(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(7).integers(-9, 10, shape).astype(np.float64)


def computed(made: Graph, x: Array) -> Array:
    (y,) = run(made, seeded(1), {"x": x}).values()
    return y


def weights(made: Graph) -> dict[str, Array]:
    """What is stored, by name: a tied kernel once."""
    drawn = seeded(1)
    return {
        param.name: drawn[param][tuple(slice(n) for n in param.stored()[0].shape)]
        for node in made.nodes
        for _, param in node.params
    }


def grouped(x: Array, groups: int) -> list[Array]:
    return np.split(x, groups, axis=1)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("join", ["concat", "sum"])
@pytest.mark.parametrize("rank", [1, 2])
def test_groups_one_by_one(rank: int, join: str, tied: bool) -> None:
    """Each group convolved alone, then concatenated or summed; a tied kernel is the same for all of them."""
    shape = (2, 6, 7, 5)[: rank + 2]
    made = graph(
        f"- conv: {{filters: 9, kernel: 3, stride: 2, group: 3, join: {join}, tied: {str(tied).lower()}}}", shape
    )
    w, b = weights(made)["conv.weight"], weights(made)["conv.bias"]
    filters = 3 if join == "concat" else 9
    if tied:
        kernels = [w] * 3
    else:
        kernels = np.split(w, 3, axis=0) if join == "concat" else np.split(w, 3, axis=1)
    assert {k.shape for k in kernels} == {(filters, 2, *[3] * rank)}
    x = numbers(shape)
    zero = [0] * rank
    parts = [
        loops.conv(part, kernel, None, [2] * rank, [1] * rank, zero, zero, 1)[0]
        for part, kernel in zip(grouped(x, 3), kernels, strict=True)
    ]
    expected = np.concatenate(parts, axis=1) if join == "concat" else sum(parts, np.zeros_like(parts[0]))
    np.testing.assert_allclose(computed(made, x), expected + b.reshape(-1, *[1] * rank), rtol=0, atol=1e-12)


def test_channels_one_by_one() -> None:
    """A multiplier of 2: channel c makes the maps 2·c and 2·c + 1, and nothing else does."""
    made = graph("- conv: {multiplier: 2, group: depthwise, kernel: 3, bias: false}", (1, 3, 5, 5))
    w, x = weights(made)["conv.weight"], numbers((1, 3, 5, 5))
    y = computed(made, x)
    for c, m in itertools.product(range(3), range(2)):
        alone, _, _ = loops.conv(x[:, c : c + 1], w[2 * c + m : 2 * c + m + 1], None, [1, 1], [1, 1], [0, 0], [0, 0], 1)
        np.testing.assert_allclose(y[:, 2 * c + m], alone[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["zeros", "constant", "reflect", "edge", "wrap"])
def test_pad_modes(mode: str) -> None:
    value = ", pad_value: 2.5" if mode == "constant" else ""
    layer = f"- conv: {{filters: 2, kernel: 3, stride: 2, dilation: [2, 1], pad: [[1, 2], [2, 0]], pad_mode: {mode}{value}}}"
    made, x = graph(layer, (1, 2, 5, 4)), numbers((1, 2, 5, 4))
    padded = loops.pad(x, [1, 2], [2, 0], "constant" if mode == "zeros" else mode, 2.5 if value else 0.0)
    w, b = weights(made)["conv.weight"], weights(made)["conv.bias"]
    expected, _, _ = loops.conv(padded, w, b, [2, 2], [2, 1], [0, 0], [0, 0], 1)
    np.testing.assert_allclose(computed(made, x), expected, rtol=0, atol=1e-12)


def average(x: Array, size: int, stride: int, begin: int, end: int, *, ceil: bool, count: bool) -> list[float]:
    """Windows placed one by one; cells that ceil mode adds beyond the end padding are in no divisor."""
    places = loops.ceil_windows if ceil else loops.count_windows
    means = []
    for out in range(places(len(x), size, stride, 1, begin, end)):
        cells = [out * stride - begin + k for k in range(size)]
        real = [float(x[i]) for i in cells if 0 <= i < len(x)]
        counted = len([i for i in cells if i < len(x) + end]) if count else len(real)
        means.append(sum(real) / counted)
    return means


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(0, 4),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
)
def test_average_pools(n: int, size: int, stride: int, begin: int, end: int, ceil: bool, count: bool) -> None:
    assume(max(begin, end) < size)
    assume((loops.ceil_windows if ceil else loops.count_windows)(n, size, stride, 1, begin, end) > 0)
    flags = f"ceil: {str(ceil).lower()}, count_include_pad: {str(count).lower()}"
    layer = f"- average_pool: {{kernel: {size}, stride: {stride}, pad: [[{begin}, {end}]], {flags}}}"
    x = numbers((1, 1, n))
    expected = average(x[0, 0], size, stride, begin, end, ceil=ceil, count=count)
    y = computed(graph(layer, (1, 1, n)), x)
    np.testing.assert_allclose(y[0, 0], expected, rtol=0, atol=1e-12)


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 4), st.integers(0, 4))
def test_max_pools_in_ceil_mode(n: int, size: int, stride: int, begin: int, end: int) -> None:
    assume(max(begin, end) < size)
    places = loops.ceil_windows(n, size, stride, 1, begin, end)
    assume(places > 0)
    layer = f"- max_pool: {{kernel: {size}, stride: {stride}, pad: [[{begin}, {end}]], ceil: true}}"
    x = numbers((1, 1, n))
    seen = [
        [x[0, 0, i] for i in range(o * stride - begin, o * stride - begin + size) if 0 <= i < n] for o in range(places)
    ]
    assert all(seen)
    assert computed(graph(layer, (1, 1, n)), x)[0, 0].tolist() == [max(row) for row in seen]


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_same_gives_the_quotient_rounded_up(n: int, size: int, stride: int, dilation: int, lower: bool) -> None:
    word = "same_lower" if lower else "same"
    layer = f"- conv: {{filters: 1, kernel: {size}, stride: {stride}, dilation: {dilation}, pad: {word}}}"
    (node,) = graph(layer, (1, 1, n)).nodes
    assert node.type.shape == (1, 1, -(-n // stride))
    begin, end = loops.same_upper(n, size, stride, dilation)
    (axis,) = node.op.window  # type: ignore[attr-defined]
    assert axis.pad == ((end, begin) if lower else (begin, end))


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 60))
def test_crops_reach_the_size_asked_for(n: int, size: int, stride: int, dilation: int, out: int) -> None:
    natural = (n - 1) * stride + (size - 1) * dilation + 1
    layer = f"- conv_transpose: {{filters: 1, kernel: {size}, stride: {stride}, dilation: {dilation}, pad: {{output: {out}}}}}"
    if out > natural:
        with pytest.raises(SpecError, match="no cropping"):
            graph(layer, (1, 1, n))
        return
    (node,) = graph(layer, (1, 1, n)).nodes
    assert node.type.shape == (1, 1, out)
    (axis,) = node.op.window  # type: ignore[attr-defined]
    assert axis.pad[1] - axis.pad[0] in (0, 1)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("conv: {filters: 4, kernel: 3, pad: 1}", (2, 3, 5, 5)),
        ("conv: {filters: 4, kernel: 3, bias: false}", (2, 3, 5)),
        ("conv: {filters: 4, kernel: 3, group: 2, tied: true}", (2, 4, 5)),
        ("conv: {filters: 4, kernel: 2, group: 2, join: sum, tied: true, bias: false}", (2, 4, 5)),
        ("conv: {filters: 4, kernel: 3, pad: 1, pad_mode: edge}", (2, 3, 5)),
        ("conv_transpose: {filters: 4, kernel: 3, stride: 2}", (2, 3, 5)),
        ("conv_transpose: {filters: 6, kernel: 3, stride: 2, group: 2}", (2, 4, 5)),
        ("dense: 4", (2, 3)),
    ],
)
def test_a_folded_batch_norm_computes_what_a_kept_one_does(layer: str, shape: tuple[int, ...]) -> None:
    kept = graph(f"- {layer}\n- batch_norm: {{epsilon: 0.25}}\n- relu", shape)
    folded = graph(f"- {layer}\n- batch_norm: {{epsilon: 0.25, fold: true}}\n- relu", shape)
    kinds = [node.op.kind for node in folded.nodes]
    assert kinds == [node.op.kind for node in kept.nodes if node.op.kind != "BatchNormalization"]
    assert "batch_norm" in folded.types()
    assert layer.partition(":")[0] not in folded.types()
    stored = {initial.name for param in kept.params() for initial in param.stored()}
    assert {initial.name for param in folded.params() for initial in param.stored()} == stored
    x = numbers(shape)
    y = computed(folded, x)
    assert np.ptp(y) > 0.1
    np.testing.assert_allclose(y, computed(kept, x), rtol=0, atol=1e-10)


def test_two_folds_side_by_side_keep_their_own_weights() -> None:
    branch = "[conv: {filters: 2, kernel: 1}, batch_norm: {fold: true}]"
    made = graph(f"- add: [{branch}, {branch}]", (1, 2, 4))
    assert [node.output for node in made.nodes] == ["batch_norm", "batch_norm_2", "add"]
    assert [param.name for param in made.params()] == ["conv.weight", "conv.bias", "conv_2.weight", "conv_2.bias"]


def test_constants_say_their_numbers() -> None:
    """No weight file holds what a spec says; what it does not say is drawn, and read from a file, in its own data type."""
    text = """\
- constant: {value: 0.1}
  name: tenth
- constant: {shape: [3, 1], dtype: int32, value: -7}
  name: sevens
- constant: {dtype: uint8}
  name: drawn
- constant: {shape: [2], init: {constant: 4}}
  name: fours
"""
    made = resolve(parse(f"inputs: {{x: 'float32[N, 3]'}}\nlayers:\n{text}outputs: [tenth, sevens, drawn, fours]"))
    found = run(made, seeded(1), {"x": np.zeros((1, 3), np.float32)})
    assert found["tenth"].tobytes() == np.float32(0.1).tobytes()
    assert (found["sevens"].dtype, found["sevens"].tolist()) == (np.dtype("int32"), [[-7]] * 3)
    assert found["drawn"].dtype == np.dtype("uint8")
    assert 1 <= found["drawn"] <= 7
    assert found["fours"].tolist() == [4, 4]
    assert [initial.name for param in made.params() for initial in param.stored()] == ["drawn.value", "fours.value"]


def test_integers_as_numpy_computes_them() -> None:
    made = resolve(
        parse(
            """\
inputs: {x: 'uint8[2, 3, 4]'}
layers:
- gather: {axis: 2, indices: [3, 0, 0, -2], shape: [2, 2]}
- cast: int32
- mul: [previous, [constant: {value: -3, dtype: int32}]]
  name: y
- cast: float32
- div: [previous, [constant: {value: 2}]]
- round
- cast: int64
  name: z
outputs: [y, z]
"""
        )
    )
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    found = run(made, seeded(), {"x": x})
    y = x[:, :, [[3, 0], [0, 2]]].astype(np.int32) * -3
    assert (found["y"].dtype, found["y"].tolist()) == (np.dtype("int32"), y.tolist())
    assert (found["z"].dtype, found["z"].tolist()) == (np.dtype("int64"), np.rint(y / 2).astype(int).tolist())


def test_sizes_that_inputs_leave_open() -> None:
    """Symbols mean what the inputs have there; parameters are put in; the same numbers as NumPy's, at several sizes."""
    made = resolve(
        parse(
            """\
inputs: {x: 'float64[N, 4, H, W]', t: 'float64[N, T, 1]'}
parameters: {two: 2, shape: [0, -1]}
layers:
- reshape: [N, two, 4 // two, H*W]
  from: x
  name: a
- reshape: [H*W*N, 4]
- reshape: shape
  name: b
- constant: [1, 1, 3]
- expand: [N, T, 3]
- add: [previous, t]
  name: c
outputs: [a, b, c]
"""
        )
    )
    for n, h, w, t in ((1, 2, 3, 4), (3, 5, 1, 2)):
        draw = np.random.default_rng(0)
        x = {"x": draw.normal(size=(n, 4, h, w)), "t": draw.normal(size=(n, t, 1))}
        found = run(made, seeded(1), x)
        np.testing.assert_array_equal(found["a"], x["x"].reshape(n, 2, 2, h * w))
        np.testing.assert_array_equal(found["b"], x["x"].reshape(-1, 4))
        np.testing.assert_array_equal(found["c"], seeded(1)[next(made.params())] + x["t"])
