"""Probe `exact`: every layer by itself on integers so chosen that no correct direct evaluation rounds anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.execute import apply
from onnxconv.graph import Graph, Node, TensorType, only
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify.arithmetic import ARITHMETICS, DIRECT, NONE, narrower
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, all_same, merge, outputs_differ, within
from onnxconv.verify.fingerprint import fingerprint
from onnxconv.verify.instance import Instance, instances
from onnxconv.verify.judge import compared, nearest
from onnxconv.verify.rounding import representable
from onnxconv.verify.sizes import concrete
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import PRODUCTS, Array
from onnxconv.weights import given

__all__ = ["exact", "layers", "loaded"]

BATCHES = (2, 1)
"""Images where the batch is symbolic: two for the first instance of a layer, one for the others."""


def exact(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first layer with a mismatch, or that all agree."""
    found = layers(case.graph)
    total: Comparison | None = None
    inexact: list[str] = []
    blind: list[str] = []
    thin = 1.0
    for done, node in enumerate(found):
        case.advance(done / len(found), f"exact: {node.name}")
        seen: Comparison | None = None
        telling = False
        for instance, one, y in _instances(case, node):
            try:
                comparison = _try(case, one, instance, y)
            except RuntimeFailed as failure:
                raise RuntimeFailed(f"layer {node.name!r} alone: {failure.reason}", failure.said) from failure
            if isinstance(comparison, str):
                yield Finding(case.output, Verdict.FAIL, f"layer {node.name!r} alone: {comparison}")
                return
            if comparison.mismatches:
                merged = merge(total, comparison) if total else comparison
                note = f"one layer alone, {instance.grade} operands"
                finding = judged(case.output, replace(comparison, elements=merged.elements), one, note=note)
                yield _named(
                    case,
                    node,
                    replace(finding, max_error=merged.max_error),
                    partial(_try, one=one, instance=instance, y=y),
                )
                return
            seen = merge(seen, comparison)
            telling = telling or _telling(one, y, instance)
            thin = min(thin, instance.density)
            if not instance.exact and node.op.kind not in inexact:
                inexact.append(node.op.kind)
        assert seen is not None, "every layer has an instance"
        total = merge(total, seen)
        if not telling:
            blind.append(node.name)
    yield _summary(case, found, total, blind, inexact, thin)


def _named(case: Case, node: Node, finding: Finding, again: Callable[[Case], Comparison | str]) -> Finding:
    """The finding about a layer with the arithmetic that its runtime used, where that has a name and is not as demanded.

    `again`: the layer judged again. What exceeds that arithmetic's own bound is another fault, and gets no name.
    """
    if not _sums(node):
        return finding
    name = fingerprint(case, node, concrete(case.graph, 1)[node.inputs[0]]).arithmetic
    if name == NONE or narrower(name, case.arithmetic):
        return finding
    judged_so = again(replace(case, arithmetic=name))
    if isinstance(judged_so, str) or judged_so.mismatches:
        return finding
    said, demanded = ARITHMETICS[name].says, ARITHMETICS[case.arithmetic].says
    return replace(finding, reason=f"{finding.reason}; it is computed with {said}, not {demanded}", arithmetic=name)


def _sums(node: Node) -> bool:
    return node.op.kind in PRODUCTS and node.type.dtype == "float32" and len(node.inputs) == 1


def layers(graph: Graph) -> tuple[Node, ...]:
    """One node of each kind there is: of equal operators on equal input types, the first."""
    types = graph.types()
    first: dict[object, Node] = {}
    for node in graph.nodes:
        if node.op.kind == "Constant":
            continue
        same = tuple(node.inputs.index(name) for name in node.inputs)
        first.setdefault((node.op, same, *(types[name] for name in node.inputs)), node)
    return tuple(first.values())


def _instances(case: Case, node: Node) -> Iterator[tuple[Instance, Node, Array]]:
    """Each instance, the node with its sizes as numbers, and the exact result."""
    dtype = node.type.dtype
    sizes = [concrete(case.graph, batch) for batch in BATCHES]
    held = "float16" if case.arithmetic.startswith("float16") and dtype == "float32" else dtype
    types = case.graph.types()
    dtypes = tuple(types[name].dtype for name in node.inputs)
    for i, make in enumerate(instances(node, held, (case.seed, str(node.op)), dtypes)):
        shapes = sizes[min(i, 1)]
        one = replace(node, type=TensorType(dtype, shapes[node.output]))
        instance = make(tuple(shapes[name] for name in node.inputs))
        if held != dtype:
            instance = _widened(instance, held, dtype)
        y = apply(one, instance.xs, instance.weights)
        moves = one.op.roundings(*(x.shape for x in instance.xs)) == 0
        assert not instance.exact or moves or representable(y, dtype), (
            f"{node.op} is exact on {instance.grade} operands"
        )
        yield instance, one, y


def _widened(instance: Instance, held: str, dtype: str) -> Instance:
    """The same operands in the layer's data type, where those of a narrower one, `held`, were drawn."""
    weights = {role: rounded(a, dtype) for role, a in instance.weights.items()}
    xs = tuple(rounded(x, dtype) if x.dtype.name == held else x for x in instance.xs)
    return replace(instance, xs=xs, weights=weights)


def _try(case: Case, one: Node, instance: Instance, y: Array) -> Comparison | str:
    """The layer alone on the runtime, compared; or what is wrong with its output as a whole."""
    dtype = one.type.dtype
    _, inputs = loaded(case, one, instance.xs, instance.weights)
    got = case.bench.run(inputs)
    if wrong := outputs_differ(got, {one.output: (dtype, y.shape)}):
        return wrong
    if instance.exact and case.arithmetic == DIRECT:
        return within(got[one.output], nearest(one, instance.xs, y, got[one.output]), 0.0)
    return compared(one, list(instance.xs), instance.weights, got[one.output], case.arithmetic)


def loaded(case: Case, one: Node, xs: Sequence[Array], weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """Load a layer alone, with its weights and, of its operands, the constants: its graph, and the operands left as inputs."""
    tensors = dict(zip(one.inputs, xs, strict=True))
    alone = only(case.graph, one)
    constants = {node.output: param for node in alone.nodes if node.op.kind == "Constant" for _, param in node.params}
    inputs = {name: x for name, x in tensors.items() if name not in constants}
    types = tuple((name, TensorType(x.dtype.name, x.shape)) for name, x in inputs.items())
    arrays = {param.name: weights[role] for role, param in one.params}
    arrays |= {param.name: tensors[name] for name, param in constants.items()}
    graph = replace(alone, inputs=types)
    case.bench.load(graph, given(arrays))
    return graph, inputs


def _telling(node: Node, y: Array, instance: Instance) -> bool:
    """The result depends on the input: without its bias it is not all zero, nor one value throughout."""
    if (bias := instance.weights.get("bias")) is not None:
        shaped = getattr(node.op, "affine", None)
        b = bias.astype(np.float64)
        y = y - (shaped(y.shape, b) if shaped else b.reshape(-1, *[1] * (y.ndim - 2)))
    return bool(y.any()) and (y.size == 1 or not all_same(y))


def _summary(
    case: Case, found: tuple[Node, ...], total: Comparison | None, blind: list[str], inexact: list[str], thin: float
) -> Finding:
    if total is None:
        return Finding(case.output, Verdict.UNTRUSTED, "the model has no layers")
    note = f"{len(found)} distinct layers of {len(case.graph.nodes)}, each alone"
    note += f"; {', '.join(inexact)} judged by a bound" if inexact else ""
    note += f"; sparsest kernels {thin:.2g} non-zero" if thin < 1 else ""
    reason = f"the results of {', '.join(blind)} do not depend on the input" if blind else ""
    if total.unjudged == total.elements:
        reason = "no element has a finite bound"
    verdict = Verdict.UNTRUSTED if reason else Verdict.PASS
    return Finding(
        case.output,
        verdict,
        reason,
        0,
        total.elements,
        total.max_error,
        total.bound_used,
        note=note,
        arithmetic=_widest(case, found) if verdict is Verdict.PASS else "",
    )


def _widest(case: Case, found: tuple[Node, ...]) -> str:
    """The arithmetic of the layers that sum products: the widest by their traces; where nothing else is allowed, `direct`."""
    chosen = [node for node in found if _sums(node)]
    if case.arithmetic == DIRECT or not chosen:
        return DIRECT if chosen else ""
    shapes = concrete(case.graph, 1)
    names = [fingerprint(case, node, shapes[node.inputs[0]]).arithmetic for node in chosen]
    return max(names, key=list(ARITHMETICS).index)
