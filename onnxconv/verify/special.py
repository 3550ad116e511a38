"""Probe `special`: what becomes of NaN, infinities, −0 and subnormal numbers in every layer. Told, not judged.

Runtimes differ here, and most of them may: the standard does not say what a ReLU makes of NaN, nor a maximum; processors
are told to take subnormal numbers for 0 because that is faster. Only the kind of each number is compared, not its value:
every weight is ±½ (each other operand neutral), so that sums of subnormal numbers are exact and stay so small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnxconv.dtypes import DTYPES, FLOATS, numpy_dtype, rounded
from onnxconv.execute import apply
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify.case import Case, outputs_of
from onnxconv.verify.draw import Stream
from onnxconv.verify.exact import layers, loaded
from onnxconv.verify.relations import cropped
from onnxconv.verify.sizes import concrete
from onnxconv.verify.verdict import Capability, Finding, Verdict
from onnxconv.verify.words import Array

__all__ = ["VALUES", "applies", "special"]

VALUES = ("NaN", "+Inf", "-Inf", "-0", "subnormal", "underflow")
"""What layers are given. `subnormal`: numbers below the least normal one. `underflow`: the least normal one, halved."""
PLACES = 7
"""Elements of a layer's input that are NaN or infinite."""
NEUTRAL = {"Add": -0.0, "Sub": 0.0, "Mul": 0.5, "Div": 2.0}
"""What the other operands of a layer are, if not 1."""
SIGNED = ("Add", "Sub", "Mul", "Div", "Sqrt", "LeakyRelu", "PRelu")
"""Of the layers that compute, those for which IEEE 754 settles the sign of 0."""
UNSIGNED = ("Relu", "Clip", "Max", "Min")
"""Of the layers that pick, those whose limit may be the 0 that is given back."""

NUMBER, ZERO, NEGATIVE_ZERO, SUBNORMAL, POSITIVE, NEGATIVE, NAN = range(7)
KINDS = ("number", "0", "-0", "subnormal number", "+Inf", "-Inf", "NaN")
AIM = {"-0": NEGATIVE_ZERO, "underflow": SUBNORMAL}
"""Values that count where the output is of that kind; the others count wherever the output depends on them."""


def applies(graph: Graph) -> bool:
    """Some layer computes with floating-point numbers alone."""
    return bool(_chosen(graph))


def special(case: Case) -> Iterator[Finding]:
    """One finding for the whole model, with what each distinct layer alone made of each value."""
    chosen = _chosen(case.graph)
    shapes = concrete(case.graph, 1)
    told: list[Capability] = []
    for done, node in enumerate(chosen):
        case.advance(done / len(chosen), f"special: {node.name}")
        told += _layer(case, node, shapes)
    elements = sum(one.elements for one in told)
    if not elements:
        what = "no special value reaches the output of a layer" if chosen else "no layer computes with such numbers"
        yield Finding(case.output, Verdict.UNTRUSTED, what)
        return
    other = [one for one in told if not one.holds]
    note = f"{len(chosen)} different operators in {len(case.graph.nodes)} layers, each alone"
    note += f"; {len(other)} of {len(told)} values came out otherwise" if other else "; all came out as defined"
    yield Finding(case.output, Verdict.PASS, elements=elements, note=note, capabilities=tuple(told))


def _chosen(graph: Graph) -> list[Node]:
    """One node of each operator, whatever the sizes, among those that compute with floating-point numbers alone."""
    types, constants = graph.types(), _constants(graph)
    first: dict[object, Node] = {}
    for node in layers(graph):
        read = tuple(types[name].dtype for name in node.inputs if name not in constants)
        if read and all(dtype in FLOATS for dtype in (*read, node.type.dtype)):
            first.setdefault((node.op, read, node.type.dtype), node)
    return list(first.values())


def _constants(graph: Graph) -> set[str]:
    return {node.output for node in graph.nodes if node.op.kind == "Constant"}


def _layer(case: Case, node: Node, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Capability]:
    """The layer alone, of few pixels, given each value in turn. Raises `RuntimeFailed`."""
    dtype, types, constants = node.type.dtype, case.graph.types(), _constants(case.graph)
    changed = next(name for name in node.inputs if name not in constants)
    shape = cropped(node, shapes[changed])
    operands = {name: _neutral(node, types[name].dtype, shapes[name]) for name in node.inputs}
    w = {role: _weight(role, param.shape, param.dtype) for role, param in node.params}

    def defined(x: Array, arithmetic: str = "float64") -> Array:
        xs = tuple({**operands, changed: x}[name] for name in node.inputs)
        return rounded(apply(node, xs, w, arithmetic), dtype)

    settled = _settled(node, [shape if name == changed else shapes[name] for name in node.inputs])
    values = VALUES if settled else [value for value in VALUES if value != "-0"]
    given = {value: _given(value, shape, dtype, Stream("special", case.seed, str(node.op), value)) for value in values}
    one = replace(node, type=TensorType(dtype, defined(given["NaN"][0]).shape))
    operands[changed] = given["NaN"][0]
    doing = ""
    try:
        graph, inputs = loaded(case, one, tuple(operands[name] for name in node.inputs), w)
        for value, (x, plain) in given.items():
            doing = f", given {value}"
            got = outputs_of(case.bench, graph, inputs | {changed: x})[node.output]
            own = defined(x, "float32" if dtype == "bfloat16" else dtype)
            yield from _compared(node, value, (defined(x), own, defined(plain)), got)
    except RuntimeFailed as failure:
        raise RuntimeFailed(f"layer {node.name!r} alone: {failure.reason}{doing}", failure.said) from failure


def _neutral(node: Node, dtype: str, shape: tuple[int, ...]) -> Array:
    return np.full(shape, NEUTRAL.get(node.op.kind, 1.0), numpy_dtype(dtype))


def _weight(role: str, shape: tuple[int, ...], dtype: str) -> Array:
    """±½ for what multiplies, or ±1 where it is an integer; 0 for what is added; 1 for the rest."""
    if role in ("bias", "running_mean"):
        return np.zeros(shape, numpy_dtype(dtype))
    if role != "weight":
        return np.ones(shape, numpy_dtype(dtype))
    w = np.full(shape, 0.5 if dtype in FLOATS else 1, numpy_dtype(dtype))
    w.reshape(-1)[::3] *= -1
    return w


def _given(value: str, shape: tuple[int, ...], dtype: str, stream: Stream) -> tuple[Array, Array]:
    """(input, plain): an input with special values in it, and one that differs from it in those alone."""
    of = DTYPES[dtype]
    count = math.prod(shape)
    some = np.unique(stream.below(count, PLACES))
    if value == "-0":
        plain = -np.ones(count)
        x = np.where(stream.below(2, count) == 0, -0.0, plain)
    elif value == "subnormal":
        plain = np.zeros(count)
        x = 2 * of.smallest * stream.filled((count,), 2, "float64")
    elif value == "underflow":
        x, plain = np.zeros(count), np.zeros(count)
        x[some[0]] = of.normal
    else:
        plain = stream.filled((count,), 3, "float64")
        x = plain.copy()
        x[some] = float(value)
    return rounded(x, dtype).reshape(shape), rounded(plain, dtype).reshape(shape)


def _compared(node: Node, value: str, made: tuple[Array, Array, Array], got: Array) -> Iterator[Capability]:
    """What became of a value in a layer's output; nothing where none depends on it.

    `made`: what the definition gives in float64 and in the layer's own arithmetic, where small numbers may be lost to
    rounding, and what it gives without the value.
    """
    expected, own, plain = made
    wanted, seen = _kinds(expected, value == "-0"), _kinds(got, value == "-0")
    asked = wanted == AIM[value] if value in AIM else expected != plain
    if value != "-0":
        asked |= seen >= SUBNORMAL
    asked &= wanted == _kinds(own, value == "-0")
    if not asked.any():
        return
    wrong = asked & (wanted != seen)
    says = _says(wanted[wrong], seen[wrong], got[wrong]) if wrong.any() else ""
    yield Capability(value, not wrong.any(), says, int(asked.sum()), int(wrong.sum()), node.name, node.op.kind)


def _settled(node: Node, shapes: Sequence[tuple[int, ...]]) -> bool:
    """The sign of a 0 in the layer's output is."""
    return node.op.kind in SIGNED or (node.op.kind not in UNSIGNED and not node.op.roundings(*shapes))


def _kinds(y: Array, signed: bool) -> Array:
    """The kind of each number by its index in `KINDS`; −0 is 0 unless it is `signed`."""
    size, least = np.abs(y.astype(np.float64)), DTYPES[y.dtype.name].normal
    found = np.where(size < least, np.where(size == 0, ZERO, SUBNORMAL), NUMBER)
    if signed:
        found[(size == 0) & np.signbit(y)] = NEGATIVE_ZERO
    found[np.isinf(size)] = np.where(y[np.isinf(size)] > 0, POSITIVE, NEGATIVE)
    found[np.isnan(size)] = NAN
    return found


def _says(wanted: Array, seen: Array, got: Array) -> str:
    """The changes that were seen, the most frequent first, with a number for each that became one."""
    pairs, first, counts = np.unique(wanted * len(KINDS) + seen, return_index=True, return_counts=True)
    told = []
    for at in np.argsort(-counts, kind="stable"):
        before, after = divmod(int(pairs[at]), len(KINDS))
        became = f"{float(got[first[at]]):.3g}" if after == NUMBER else KINDS[after]
        told.append(_change(before, became))
    return "; ".join(told)


def _change(before: int, became: str) -> str:
    if before == SUBNORMAL and became == KINDS[ZERO]:
        return "subnormal number flushed to 0"
    lost = "lost, " if before == NAN else ""
    return f"{KINDS[before]} {lost}became {became}"
