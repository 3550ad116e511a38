"""Probe `bound`: every layer of the whole model on real-valued data, within what its arithmetic may err, and not more.

Every tensor is an output of the model, for two images in the first run of small models. Each layer is judged on the runtime's *own* previous tensors, so that a bound
never has to be carried through the network, where it would grow beyond use within a few layers. In float16 and bfloat16
each layer is a model of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Node, TensorType, only
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, all_same, merge, outputs_differ, within
from onnxconv.verify.draw import KINDS, Stream, real
from onnxconv.verify.judge import compared
from onnxconv.verify.sizes import concrete, terms
from onnxconv.verify.together import together
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import Array

__all__ = ["bound"]

LARGE = 1 << 31
"""Terms summed in all of the model's outputs together, above which one trial sees two kinds of data, not all."""


def bound(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first layer, in the graph's order, that errs too much; or none does."""
    small = terms(case.graph, concrete(case.graph, 1)) < LARGE
    kinds = KINDS if small else KINDS[:2]
    sizes = {kind: concrete(case.graph, 2 if small and kind == KINDS[0] else 1) for kind in kinds}
    runs = [(kind, case.seed + trial) for trial in range(case.trials) for kind in kinds]
    narrow = any(_narrow(type) for type in case.graph.types().values())
    if not narrow:
        case.bench.load(case.graph, case.weights, every_tensor=True)
    computed = tuple(node for node in case.graph.nodes if node.op.kind != "Constant")
    constants = {n.output: case.weights[n.params[0][1]] for n in case.graph.nodes if n.op.kind == "Constant"}
    asked = {node.output for node in computed} | {*case.graph.outputs}
    total: Comparison | None = None
    telling: set[str] = set()
    joint: set[str] = set()
    for done, (kind, seed) in enumerate(runs):
        case.advance(done / len(runs), f"bound: {kind} data")
        shapes = sizes[kind]
        expected = {name: (type.dtype, shapes[name]) for name, type in case.graph.types().items() if name in asked}
        inputs = {
            name: real(kind, shapes[name], type.dtype, Stream("bound", seed, kind, name))
            for name, type in case.graph.inputs
        }
        got = _layer_by_layer(case, computed, inputs) if narrow else case.bench.run(inputs)
        if wrong := outputs_differ(got, expected) or _changed(got, inputs):
            yield Finding(case.output, Verdict.FAIL, wrong, note=f"{kind} data")
            return
        for place, node in enumerate(computed):
            case.advance((done + place / len(computed)) / len(runs), f"bound: {kind} data, {node.name}")
            tensors = got | inputs | constants
            found = _judge(case, node, tensors)
            if found.mismatches and not narrow and (explained := together(case, node, tensors, found)):
                found = explained
                joint.add(node.name)
                case.bench.load(case.graph, case.weights, every_tensor=True)
            total = merge(total, found)
            if found.mismatches:
                mine = replace(found, elements=total.elements, max_error=total.max_error)
                yield judged(case.output, mine, node, note=f"{kind} data, seed {seed}")
                return
            if found.unjudged < found.elements and not (got[node.output].size > 1 and all_same(got[node.output])):
                telling.add(node.name)
    yield _summary(case, computed, total, telling, kinds, joint)


def _narrow(type: TensorType) -> bool:
    of = DTYPES[type.dtype]
    return of.family == "float" and of.significand < DTYPES["float32"].significand


def _layer_by_layer(case: Case, computed: Sequence[Node], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor, each layer run as a model of its own on what the layers before it gave.

    onnxruntime 1.32 computes what its processor has no float16 for in float32, and hands on the float32: the float16
    tensor that it shows is not the one that the next layer has read.
    """
    got: dict[str, Array] = {}
    for node in computed:
        alone = only(case.graph, node)
        case.bench.load(alone, case.weights)
        tensors = {**inputs, **got}
        found = case.bench.run({name: tensors[name] for name, _ in alone.inputs})
        got |= {name: array for name, array in found.items() if name not in got}
        if node.output not in found:
            break
    return got | {name: inputs[name] for name in case.graph.outputs if name in inputs}


def _changed(got: Mapping[str, Array], inputs: Mapping[str, Array]) -> str:
    """An output that hands an input on and does not equal it, in words; empty if there is none."""
    changed = [name for name in inputs if name in got and within(got[name], inputs[name], 0.0).mismatches]
    return f"output {changed[0]!r} is not the input that it hands on" if changed else ""


def _judge(case: Case, node: Node, tensors: Mapping[str, Array]) -> Comparison:
    """One layer's output against its definition on the runtime's own inputs to it."""
    xs = [tensors[name] for name in node.inputs]
    w = {role: case.weights[param] for role, param in node.params}
    return compared(node, xs, w, tensors[node.output], case.arithmetic)


def _summary(
    case: Case,
    computed: tuple[Node, ...],
    total: Comparison | None,
    telling: set[str],
    kinds: tuple[str, ...],
    joint: set[str],
) -> Finding:
    if total is None:
        return Finding(case.output, Verdict.UNTRUSTED, "the model has no layers")
    blind = [node.name for node in computed if node.name not in telling]
    reason = f"{blind[0]} and {len(blind) - 1} more" if len(blind) > 1 else "".join(blind)
    reason = f"one value throughout, or nothing finite to compare, in {reason}" if blind else ""
    verdict = Verdict.UNTRUSTED if blind else Verdict.PASS
    note = f"{len(computed)} layers on {', '.join(kinds)} data"
    note += f"; {total.unjudged} more elements could overflow and are not judged" if total.unjudged else ""
    note += f"; {len(joint)} computed together with layers before them" if joint else ""
    elements = total.elements - total.unjudged
    return Finding(case.output, verdict, reason, 0, elements, total.max_error, total.bound_used, note=note)
