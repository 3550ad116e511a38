"""Somebody's model, read, proved, and written in the portable form."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from onnxconv.emit import EmitOptions, save
from onnxconv.errors import ModelError
from onnxconv.execute.inputs import check_understood
from onnxconv.files import whole_folder
from onnxconv.graph import Graph
from onnxconv.load.file import message
from onnxconv.portable.account import Account, unproved
from onnxconv.portable.changes import changes
from onnxconv.portable.proof import Evidence, judge_reading, proved
from onnxconv.portable.written import read_back
from onnxconv.verify import Verdict
from onnxconv.weights import Weights

__all__ = ["rewrite"]


def rewrite(
    file: Path,
    read: tuple[Graph, Weights],
    written: tuple[Graph, Weights],
    path: Path,
    options: EmitOptions,
    *,
    prove: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Account:
    """Write `written` to `path`, made of what was `read` of the model at `file`: the same, but for what the user asked for.

    What was read is proved against the file, what was written against the graph, before anything appears at `path`.
    Raises `Disproved`; `NotAvailable` where nothing can tell; `UsageError` for layers that are not understood.
    """
    check_understood(written[0])
    evidence = judge_reading(*read, file, tell) if prove else ()
    if prove and not proved(evidence):
        raise unproved(str(file), evidence)
    with whole_folder(path.parent) as hidden:
        made = hidden / path.name
        save(without_identities(written[0]), written[1], made, options)
        tell("reading back what was written")
        back = _read_back(without_identities(written[0]), written[1], made, options, prove, tell)
        if not any(one.finding.verdict is Verdict.PASS for one in back) and (prove or back):
            raise unproved(str(file), back)
        evidence = (*evidence, *back)
        differences = changes(message(file), message(made))
    return Account(str(file), str(path), evidence, differences, tuple(_remarks(read, written, options)))


def without_identities(graph: Graph) -> Graph:
    """The graph without nodes that hand a tensor on under another name, as dropout does, unless that is an output."""
    handed = {n.output: n.inputs[0] for n in graph.nodes if n.op.kind == "Identity" and n.output not in graph.outputs}

    def source(name: str) -> str:
        while name in handed:
            name = handed[name]
        return name

    kept = (node for node in graph.nodes if node.output not in handed)
    return replace(graph, nodes=tuple(replace(node, inputs=tuple(map(source, node.inputs))) for node in kept))


def _read_back(
    graph: Graph, weights: Weights, made: Path, options: EmitOptions, prove: bool, tell: Callable[[str], None]
) -> tuple[Evidence, ...]:
    """Evidence that the file is the graph: it is read again or, where that is not understood, run by another runtime.

    A model whose weights are inputs cannot be read: it is judged as it would be with constants.
    """
    if options.weights_as == "inputs":
        with tempfile.TemporaryDirectory(prefix="onnxconv-") as folder:
            other, constant = Path(folder) / made.name, replace(options, weights_as="constants")
            save(graph, weights, other, constant)
            return _read_back(graph, weights, other, constant, prove, tell)
    try:
        return (Evidence("written", "", read_back(graph, weights, made)),)
    except ModelError:
        if not prove:
            return ()
    found = judge_reading(graph, weights, made, tell)
    return tuple(replace(one, probe="run") for one in found if one.probe == "layers")


def _remarks(read: tuple[Graph, Weights], written: tuple[Graph, Weights], options: EmitOptions) -> list[str]:
    remarks = []
    if read[1] is not written[1]:
        remarks.append("the weights are others, as asked for; what was proved is the original with its own")
    if [t for _, t in read[0].inputs] != [t for _, t in written[0].inputs]:
        remarks.append("the data type is another, as asked for; what was proved is the original in its own")
    if options.weights_as == "inputs":
        remarks.append("the weights are inputs, as asked for; the file was read back with its weights as constants")
    return remarks
