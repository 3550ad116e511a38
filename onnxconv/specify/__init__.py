"""A graph as the text of a spec that means it: the inverse of `resolve`, which has the last word about it."""

from __future__ import annotations

from pathlib import Path

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, ModelError, Refusal, SpecError, Where
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Constant
from onnxconv.resolve import OWN, resolve
from onnxconv.spec import parse
from onnxconv.specify.blocks import blocked
from onnxconv.specify.fused import Fused, fused
from onnxconv.specify.items import flat, layers_in
from onnxconv.specify.names import inputs_called, tensors_called
from onnxconv.specify.numbers import numbers
from onnxconv.specify.own import owned
from onnxconv.specify.proof import differs, pairs
from onnxconv.specify.save import Specified, save
from onnxconv.specify.sizes import over_symbols, shaped
from onnxconv.specify.split import split
from onnxconv.specify.structure import structure
from onnxconv.specify.text import text
from onnxconv.specify.writers import WITHOUT_WRITER, WRITERS, Said, constant, said
from onnxconv.weights import Weights

__all__ = ["WITHOUT_WRITER", "WRITERS", "Specified", "save", "specify"]


def specify(graph: Graph, source: str = "", weights: Weights | None = None) -> Specified:
    """A spec that resolves to this graph: the same operators, connections and types, under other names.

    With `weights`, it says the numbers of constants that are one number. It has been resolved and compared. Raises
    `ModelError` with one diagnostic for each layer that no spec can say.
    """
    graph, whole = split(graph), graph
    added = len(graph.nodes) - len(whole.nodes)
    graph = over_symbols(graph)
    graph = owned(graph if weights is None else numbers(graph, weights))
    one = fused(graph)
    words = _words(one, source)
    trunk = structure(one.graph, words)
    wanted = [layer.name for layer in layers_in(trunk) if layer.name is not None]
    kinds = {node.output: words[node.name].kind for node in one.graph.nodes}
    items, blocks = blocked(trunk)
    names = tensors_called(graph, wanted, kinds, [block.name for block in blocks])
    order = tuple(one.apart(flat(items)))
    last = order[-1].output if order else ""
    outputs = () if graph.outputs == (last,) else graph.outputs
    called = _called(graph.name)
    made_of = (f"Made of {Path(source).name}.",) if source else ()
    written = text(called, inputs_called(graph), items, outputs, names, blocks, made_of)
    try:
        again = resolve(parse(written, f"{called}.yaml"))
    except SpecError as error:
        what, why = f"no spec can say it: {error.diagnostics[0].what}", error.diagnostics[0].why
        raise ModelError(Diagnostic(Where(source), "no-words", what, why)) from error
    if difference := differs(graph, order, again):
        why = f"the spec that was written says something else: {difference}"
        raise ModelError(Diagnostic(Where(source), "no-words", "no spec can say it", why))
    return Specified(written, again, pairs(order, again), tuple(_remarks(graph, names, added)))


def _words(one: Fused, source: str) -> dict[str, Said]:
    """What each node is said as, by its name."""
    graph, words, wrong = one.graph, dict[str, Said](), list[Diagnostic]()
    types = graph.types()
    usual = next((type.dtype for _, type in graph.inputs if type.dtype in FLOATS), FLOATS[0])
    for node in graph.nodes:
        if node.name in one.said or isinstance(node.op, Constant):
            words[node.name] = one.said.get(node.name) or constant(node, usual)
            continue
        try:
            if type(node.op) in OWN:
                why = (
                    f"its {' and its '.join(OWN[type(node.op)].values())} are constants, of the usual types and shapes"
                )
                raise Refusal("no-words", f"{node.op.kind} is not said as it is here", why)
            words[node.name] = shaped(node, graph) or said(node.op, _first(node, types))
        except Refusal as refusal:
            wrong.append(refusal.at(Where(source)))
            wrong[-1] = _of_layer(wrong[-1], node)
    wrong += [
        Diagnostic(
            Where(source), "not-understood", f"layer {u.name!r} ({u.op}): {u.reason}", "a spec says what is understood"
        )
        for u in graph.unread
    ]
    if wrong:
        raise ModelError(wrong)
    return words


def _first(node: Node, types: dict[str, TensorType]) -> tuple[int | str, ...]:
    return types[node.inputs[0]].shape if node.inputs else ()


def _of_layer(found: Diagnostic, node: Node) -> Diagnostic:
    return Diagnostic(found.where, found.code, f"layer {node.name!r}: {found.what}", found.why, found.fix)


def _called(name: str) -> str:
    legal = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in name).lstrip(".-")[:100]
    return legal or "network"


def _remarks(graph: Graph, names: dict[str, str], added: int) -> list[str]:
    changed = [(name, names[name]) for name in (*dict(graph.inputs), *graph.outputs) if names[name] != name]
    remarks = [f"{old!r} is called {new!r}" for old, new in dict.fromkeys(changed)]
    shared = sum(len(node.params) for node in graph.nodes) - sum(1 for _ in graph.params())
    if added:
        remarks.append(f"{added} more operators: slices along several axes, and pads that cut off, are said in parts")
    if shared:
        remarks.append(f"{shared} weights that layers share are stored once for each layer")
    return remarks
