"""A written model read back: is it the graph that was written?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from onnxconv.graph import Graph, Node
from onnxconv.load import load
from onnxconv.portable.layers import Arrays, Computed, computed
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.compare import within
from onnxconv.verify.draw import Stream, real
from onnxconv.verify.sizes import concrete
from onnxconv.verify.words import Array

__all__ = ["read_back"]


def read_back(graph: Graph, weights: Arrays, path: Path, seed: int = 0) -> Finding:
    """One finding: operators, their connections and weights come back equal, bit for bit.

    An operator that the opset says by several others is judged by their outcome on real data, within its bound.
    """
    pair = _Pair(graph, weights, *load(path))
    output = ", ".join(graph.outputs)
    wrong = pair.ends_differ()
    equal, several, elements = 0, list[str](), 0
    for node in () if wrong else graph.nodes:
        difference = pair.differs(node)
        if difference and node.op.kind != "Constant":
            apart = pair.apart(node, seed)
            wrong = f"layer {node.name!r}: {difference}" + ("" if apart is None else f"; {apart}" if apart else "")
            if apart == "":
                several.append(node.op.kind)
                wrong = ""
        if wrong:
            break
        equal += not difference
        elements += sum(weights[param].size for _, param in node.params)
    if wrong:
        return Finding(output, Verdict.FAIL, wrong)
    note = f"{equal} operators and {elements:,} weights equal bit for bit"
    note += f"; {len(several)} written as several nodes ({', '.join(sorted({*several}))}), equal within their bound"
    return Finding(
        output,
        Verdict.PASS,
        "",
        0,
        max(elements, len(graph.nodes), 1),
        note=note if several else note.partition(";")[0],
    )


class _Pair:
    """A graph and its weights, and what came back of them."""

    def __init__(self, graph: Graph, weights: Arrays, again: Graph, arrays: Arrays) -> None:
        self.graph, self.weights, self.again, self.arrays = graph, weights, again, arrays
        self.mine, self.theirs = ({node.output: node for node in one.nodes} for one in (graph, again))

    def ends_differ(self) -> str:
        """What is wrong with inputs and outputs, in words; empty if nothing is."""
        mine, theirs = self.graph.types(), self.again.types()
        if self.graph.inputs != self.again.inputs:
            return f"the inputs come back as {self.again.inputs}, they are {self.graph.inputs}"
        if self.graph.outputs != self.again.outputs:
            return f"the outputs come back as {self.again.outputs}, they are {self.graph.outputs}"
        changed = [name for name in self.graph.outputs if mine[name] != theirs[name]]
        return f"the output {changed[0]!r} comes back as {theirs[changed[0]]}" if changed else ""

    def differs(self, node: Node) -> str:
        """How the node that makes a tensor of this name differs, in words; empty if it does not."""
        other = self.theirs.get(node.output)
        if other is None and node.op.kind == "Identity":
            return ""
        if other is None:
            return "its tensor does not come back"
        if other.op != node.op:
            return f"it comes back as {other.op}, it is {node.op}"
        if other.type != node.type:
            return f"it comes back as {other.type}, it is {node.type}"
        if len(other.inputs) != len(node.inputs) or not all(map(self._same_tensor, node.inputs, other.inputs)):
            return f"it comes back reading {other.inputs}, it reads {node.inputs}"
        changed = [
            role for role, param in node.params if not _same(self.weights[param], self.arrays[dict(other.params)[role]])
        ]
        return f"its {changed[0]} comes back changed" if changed else ""

    def _same_tensor(self, mine: str, theirs: str) -> bool:
        """The same name, once identities are seen through, or constants of the same value."""
        mine, theirs = _source(mine, self.mine), _source(theirs, self.theirs)
        one, other = self.mine.get(mine), self.theirs.get(theirs)
        if one is None or other is None or one.op.kind != "Constant" or other.op.kind != "Constant":
            return mine == theirs
        return _same(self.weights[one.params[0][1]], self.arrays[other.params[0][1]])

    def apart(self, node: Node, seed: int) -> str | None:
        """What is wrong with the outcome of the several nodes that a node became; None where they are not such."""
        inside = self._inside(node)
        if inside is None or len(inside) < 2:
            return None
        shapes, types = concrete(self.graph, 1), self.graph.types()
        known = {
            name: Computed(real("normal", shapes[name], types[name].dtype, Stream("written", seed, name)))
            for name in node.inputs
        }
        mine = computed(node, [known[name] for name in node.inputs], self.weights)
        for part in inside:
            known[part.output] = computed(part, [known[name] for name in part.inputs], self.arrays)
        theirs = known[node.output]
        slack: Array | float = sum((c.error for c in (mine, theirs) if c.error is not None), np.zeros(mine.value.shape))
        found = within(theirs.value, mine.value, slack)
        if found.unjudged == found.elements:
            return "nothing finite to compare"
        return f"{found.mismatches} of {found.elements} elements are wrong" if found.mismatches else ""

    def _inside(self, node: Node) -> list[Node] | None:
        """The nodes that came back between the node's inputs and its output; None where they read anything else."""
        makers, wanted, found = self.theirs, [node.output], dict[str, Node]()
        while wanted:
            name = wanted.pop()
            if name in node.inputs or name in found:
                continue
            if name not in makers:
                return None
            found[name] = makers[name]
            wanted += makers[name].inputs
        return [one for one in self.again.nodes if one.output in found]


def _source(name: str, makers: Mapping[str, Node]) -> str:
    """The tensor itself, of one that identities hand on under another name."""
    while name in makers and makers[name].op.kind == "Identity":
        (name,) = makers[name].inputs
    return name


def _same(one: Array, other: Array) -> bool:
    """Equal bit for bit, data type and shape too."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
