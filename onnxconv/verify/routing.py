"""Probe `routing`: the whole model as the runtime optimises it, bit for bit from input to output, at any depth.

See `route` for the weights. What the sums cannot hold exactly (means over counts that are no power of two, sigmoids,
too many additions in a row) is met by a bound carried from there to the output, which stays tight since nothing grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Graph, Node
from onnxconv.verify.ahead import Ahead, ahead, consumers
from onnxconv.verify.carried import error_after
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, merge, outputs_differ, within
from onnxconv.verify.coverage import Seen, add, alive, observed, shares
from onnxconv.verify.draw import Stream
from onnxconv.verify.integers import KINDS, bell, exact_integers, fitted, held, stored_integers, whole
from onnxconv.verify.route import Routed, route_batch_norm, route_prelu, route_products
from onnxconv.verify.signal import Signal, channels, exact_sum, grid_of
from onnxconv.verify.sizes import concrete, terms
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import PRODUCTS, Array
from onnxconv.weights import given

__all__ = ["Plan", "plan", "routing"]

LARGE = 1 << 33
"""Terms summed for one image above which one image is routed, not two."""
MEANS = ("AveragePool", "GlobalAveragePool", "ReduceMean")
CHOSEN = (*PRODUCTS, "BatchNormalization", "PRelu")
"""Layers whose weights are chosen; others keep the network's own."""
MOST_TRIALS = 64
"""Trials for the sake of coverage."""
NARROWER = (10, 6)
"""Bits of the inputs when wider ones use up the significand on the way."""
NEVER_EXACT = (
    *("Sigmoid", "Silu", "Softmax", "LeakyRelu", "Tanh", "Elu", "HardSigmoid", "HardSwish", "Softplus", "Gelu", "Mish"),
    *("LpPool", "GlobalLpPool", "Resize"),
    *("Div", "Pow", "Sqrt", "Exp", "Log", "Erf", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"),
    *("LayerNormalization", "GroupNormalization", "InstanceNormalization", "LRN"),
)


@dataclass(frozen=True)
class Plan:
    """Inputs, weights by parameter name, and what must come out.

    `dead`: outputs that no input reaches. `inexact`: the first layer that rounds, if any does.
    """

    inputs: dict[str, Array]
    arrays: dict[str, Array]
    outputs: dict[str, Signal]
    dead: tuple[str, ...]
    seen: Seen
    inexact: str


def routing(case: Case) -> Iterator[Finding]:
    """One finding for each output, over all trials."""
    totals: dict[str, Comparison] = {}
    flat: dict[str, bool] = {}
    seen: Seen = {}
    note = "equal bit for bit"
    for trial in count():
        made = plan(case, case.seed + trial, min(trial, case.trials - 1) / case.trials)
        case.bench.load(case.graph, given(made.arrays))
        got = case.bench.run(made.inputs)
        types = case.graph.types()
        expected = {name: (types[name].dtype, y.value.shape) for name, y in made.outputs.items()}
        if wrong := outputs_differ(got, expected):
            yield Finding(case.output, Verdict.FAIL, wrong, note=f"seed {case.seed + trial}")
            return
        seen = add(seen, made.seen)
        note = f"exact up to {made.inexact!r}, from there within a carried bound" if made.inexact else note
        for name, y in made.outputs.items():
            totals[name] = merge(totals.get(name), within(got[name], y.value, _limit(y)))
            flat[name] = flat.get(name, True) and name in made.dead
        if trial + 1 >= case.trials and (_covered(case, seen) or trial + 1 >= MOST_TRIALS):
            break
    note += f"; {trial + 1} trials" if trial else ""
    for name, total in totals.items():
        yield _finding(case.graph, name, total, flat[name], shares(seen), note)


def _covered(case: Case, seen: Seen) -> bool:
    """The asked share of the filters was observed."""
    return shares(seen).get("filters", 1.0) >= case.coverage


def _limit(y: Signal) -> Array:
    """The error allowed, infinite where it is as large as the largest value: zeros would pass."""
    error = y.slack()
    return np.where((error > 0) & (error >= np.abs(y.value).max()), np.inf, error)


def _finding(graph: Graph, name: str, total: Comparison, flat: bool, coverage: dict[str, float], note: str) -> Finding:
    node = next((node for node in graph.nodes if node.output == name), None)
    wrong = (
        f"output {name!r} of the whole model: {total.mismatches} of {total.elements} elements are wrong; the worst, "
        f"at {list(total.worst)}, is {total.got!r} instead of {total.expected!r}"
    )
    if node is None:  # an input that is handed on
        verdict = Verdict.FAIL if total.mismatches else Verdict.PASS
        reason = wrong if total.mismatches else ""
        return Finding(name, verdict, reason, total.mismatches, total.elements, total.max_error, total.bound_used)
    finding = judged(name, total, node, coverage=coverage, note=note)
    if finding.verdict is Verdict.FAIL:  # any layer may be to blame, unless there is but one
        alone = finding.first_divergence if len(graph.nodes) == 1 else None
        return replace(finding, reason=wrong, first_divergence=alone)
    if finding.verdict is Verdict.UNTRUSTED:
        return replace(finding, reason="the bound carried here from the first rounding is as large as the values")
    if finding.verdict is Verdict.PASS and flat:
        return replace(finding, verdict=Verdict.UNTRUSTED, reason="no value reached this output: it is constant")
    return finding


def plan(case: Case, seed: int, share: float = 0.0) -> Plan:
    """The plan with the widest inputs whose sums are all exact; else that with the narrowest."""
    could = {node.name for node in case.graph.nodes if node.op.kind not in (*NEVER_EXACT, *MEANS)}
    widest = _input_bits(case.graph)
    for bits in (widest, *(b for b in NARROWER if b < widest)):
        made = _plan(case, seed, share, bits)
        if made.inexact not in could:
            break
    return made


def _plan(case: Case, seed: int, share: float, bits: int) -> Plan:
    """Choose weights layer by layer while the reference runs, and prove of each sum that it is exact."""
    graph, reading = case.graph, consumers(case.graph)
    shapes = concrete(graph, 2 if terms(graph, concrete(graph, 1)) < LARGE else 1)
    stream = Stream("routing", seed)
    constants = held(graph, case.weights, stream)
    inputs = {name: _input(shapes[name], type.dtype, bits, stream) for name, type in graph.inputs}
    for name in inputs:
        limits = ahead(name, reading, constants)
        if limits.quantised:
            inputs[name] = fitted(bell(shapes[name], inputs[name].dtype.name, stream), limits.low, limits.high)
    values = {name: _raw(x.astype(np.float64)) for name, x in inputs.items()}
    last = {name: step for step, node in enumerate(graph.nodes) for name in node.inputs}
    arrays = stored_integers(graph, case.weights)
    routes: dict[str, Routed] = {}
    gains: dict[str, Array] = {}
    live: dict[str, Array] = {name: np.ones(channels(x.value.shape), bool) for name, x in values.items()}
    inexact = ""
    for step, node in enumerate(graph.nodes):
        if bits == _input_bits(graph):
            case.advance(share + step / len(graph.nodes) / case.trials, f"routing: {node.name}")
        xs = [values[name] for name in node.inputs]
        gain = gains.get(node.inputs[0]) if node.inputs else None
        if node.output in constants:
            array = constants[node.output]
            routed = Routed(_raw(array.astype(np.float64)), {"value": array})
        else:
            own = {role: case.weights[param] for role, param in node.params} if node.op.kind not in CHOSEN else {}
            routed = _route(node, xs, ahead(node.output, reading, constants), gain, own, arrays, stream)
        y = routed.y
        arrays |= {param.name: routed.weights[role] for role, param in node.params}
        inexact = inexact or (node.name if y.error is not None else "")
        values[node.output] = y
        beyond = np.zeros(channels(y.value.shape), bool)  # constants do not depend on the input
        live[node.output] = alive(node, y, routed, [live[name] for name in node.inputs], xs) if node.inputs else beyond
        if routed.gain is not None:
            gains[node.output] = routed.gain
        routes[node.name] = replace(routed, y=_FORGOTTEN, weights={})
        for name in {*node.inputs}:
            if last[name] == step and name not in graph.outputs:
                del values[name]
        if node.output not in last and node.output not in graph.outputs:
            del values[node.output]
    outputs = {name: values[name] for name in graph.outputs}
    dead = tuple(name for name in graph.outputs if not live[name].any())
    return Plan(inputs, arrays, outputs, dead, observed(graph, shapes, routes, live), inexact)


_FORGOTTEN = Signal(np.zeros(0), 0, np.zeros(0))


def _input_bits(graph: Graph) -> int:
    """Room is left for sums: a bit for each addition behind clips, which scale down again, half a bit elsewhere."""
    kinds = [node.op.kind for node in graph.nodes]
    clipped = "Clip" in kinds
    growing = kinds.count("Add") if clipped else kinds.count("Add") // 2
    floats = [of for _, type in graph.inputs if (of := DTYPES[type.dtype]).family == "float"]
    room = min((of.significand for of in floats), default=DTYPES["float32"].significand) - 6
    return max(1, room - 2, min(room, room + 1 - growing)) if room < 16 else max(4, (16 if clipped else 18) - growing)


def _input(shape: tuple[int, ...], dtype: str, bits: int, stream: Stream) -> Array:
    """Integers of so many bits without 0, or over the whole range of an integer type."""
    if DTYPES[dtype].family == "float":
        return stream.filled(shape, 1 << (bits - 1), dtype)
    return whole(shape, dtype, stream)


def _raw(value: Array) -> Signal:
    return Signal(value, grid_of(value), np.abs(value))


def _route(
    node: Node,
    xs: Sequence[Signal],
    next: Ahead,
    gain: Array | None,
    own: dict[str, Array],
    arrays: dict[str, Array],
    stream: Stream,
) -> Routed:
    """The layer's output with all that is known about it, its weights, and its error if it has any."""
    shared = any(param.name in arrays for _, param in node.params) and bool(xs)
    if shared:
        w = {
            role: arrays.get(param.name, np.zeros(param.shape, numpy_dtype(param.dtype))) for role, param in node.params
        }
        routed = Routed(_fixed(node, xs, w), w)
    elif node.op.kind in PRODUCTS:
        routed = route_products(node, xs[0], next, stream)
    elif node.op.kind == "BatchNormalization":
        routed = route_batch_norm(node, xs[0], next, gain, stream)
    elif node.op.kind == "PRelu":
        routed = route_prelu(node, xs[0], stream)
    elif own:
        routed = Routed(_raw(apply(node, [x.value for x in xs], own)), own)
    else:
        routed = Routed(_plain(node, xs), {})
    y = routed.y
    rounds = node.op.roundings(*(x.value.shape for x in xs)) > 0
    exact = all(x.error is None for x in xs) and (not rounds or _exact(node, xs, y))
    if not exact:
        y = replace(y, error=error_after(node, xs, routed.weights, y.value, y.terms))
    elif rounds:
        y = replace(y, grid=grid_of(y.value))
    return replace(routed, y=y)


def _exact(node: Node, xs: Sequence[Signal], y: Signal) -> bool:
    dtype, kind = node.type.dtype, node.op.kind
    if kind in NEVER_EXACT or (kind == "BatchNormalization" and dtype == "float16"):
        return False
    if kind in KINDS:
        return exact_integers(node, [x.value for x in xs])
    return exact_sum(y.terms, y.grid, dtype)


def _fixed(node: Node, xs: Sequence[Signal], w: dict[str, Array]) -> Signal:
    """A layer whose weights another layer has chosen."""
    grid = xs[0].grid + max((grid_of(a) for a in w.values()), default=0)
    return Signal(
        apply(node, [x.value for x in xs], w), max(grid, xs[0].grid), magnitude(node, [x.terms for x in xs], w)
    )


def _plain(node: Node, xs: Sequence[Signal]) -> Signal:
    """A layer without weights."""
    values = [x.value for x in xs]
    y = apply(node, values, {})
    match node.op.kind:
        case "Add" | "Sub":
            return Signal(y, max(x.grid for x in xs), sum((x.terms for x in xs), np.zeros_like(y)))
        case "Mul":
            product = np.ones_like(y)
            for x in xs:
                product = product * x.terms
            return Signal(y, sum(x.grid for x in xs), product)
        case "MatMul":
            return Signal(y, sum(x.grid for x in xs), apply(node, [x.terms for x in xs], {}))
        case "ReduceSum":
            return Signal(y, xs[0].grid, apply(node, [xs[0].terms], {}))
        case "AveragePool" | "GlobalAveragePool" | "ReduceMean":
            # Where the mean is exact its grid is finer than its terms' by the logarithm of the count; see `_exact`.
            n = node.op.roundings(*(v.shape for v in values)) - 1
            whole = n & (n - 1) == 0 and _full_windows(node)
            grid = xs[0].grid + n.bit_length() - 1 if whole else 1 << 20
            return Signal(y, grid, apply(node, [x.terms for x in xs], {}))
        case _ if node.op.roundings(*(v.shape for v in values)) == 0 and all(x.error is None for x in xs):
            # Moved values are numbers of the data type already; limits and pad values are rounded to it.
            return _raw(rounded(y, node.type.dtype).astype(np.float64))
        case _:
            return _raw(y)


def _full_windows(node: Node) -> bool:
    """Every mean is over the same count."""
    padded = any(any(axis.pad) for axis in getattr(node.op, "window", ()))
    return not padded or bool(getattr(node.op, "count_include_pad", False))
