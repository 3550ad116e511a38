"""What of a model is not understood, and what is known of it all the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from onnxconv.errors import Diagnostic, ModelError, Refusal
from onnxconv.geometry import Array, Size
from onnxconv.graph import Unread
from onnxconv.load.branch import captured, tensors_within
from onnxconv.load.declared import declared, question
from onnxconv.load.file import array_of
from onnxconv.load.functions import subgraphs
from onnxconv.load.held import Held
from onnxconv.load.inference import Inference
from onnxconv.load.opaque import opaque, operator, weights_among
from onnxconv.load.step import Constant
from onnxconv.load.written import Written

__all__ = ["Lost", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model.

    `declared`: types by name, as the file has them; `symbols`: sizes for those left open; `uses`: how often a name is read
    or put out; `read`: the names that nodes read. Unless a graph of a part is wanted (`partial`), types that no node reads
    do not matter.
    """

    file: Path
    opsets: Mapping[str, int]
    out: Written
    constants: Held
    open: dict[str, Array]
    free: Mapping[str, Constant]
    declared: Mapping[str, onnx.TypeProto]
    symbols: Mapping[str, Size]
    uses: Mapping[str, int]
    read: Set[str]
    inference: Inference
    partial: bool

    def has(self, name: str) -> bool:
        """It is a tensor or a constant that is there."""
        return name in self.out.types or name in self.constants or name in self.open or name in self.free


class Lost:
    """Nodes, inputs and outputs that are not understood.

    `refused`: a diagnostic for each; `missing`: tensors of unknown type, each with the names that it was to be computed from.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.refused: list[Diagnostic] = []
        self.unread: list[Unread] = []
        self.missing: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, op: str, reason: str, found: Diagnostic | None = None) -> None:
        """A node, or an input or output of the model, that is not in the graph."""
        self.unread.append(Unread(name, op, reason))
        if found is not None:
            self.refused.append(found)

    def node(self, node: onnx.NodeProto, reason: str, only: str = "", typed: bool = True) -> None:
        """Outputs of a known type become opaque layers; without them the node is unread, and so is what depends on it.

        What should have been a constant is none, whatever its type (not `typed`).
        """
        names = tuple(dict.fromkeys((*node.input, *captured(node))))
        outputs = [n for n in dict.fromkeys(node.output) if n and not self.model.has(n) and only in ("", n)]
        wanted = [name for name in outputs if self.model.uses[name]] or outputs
        weights = self._weights(node, names)
        types = {name: self.model.out.types[name] for name in names if name in self.model.out.types}
        known = {name: constant.array for name, constant in weights_among(names, self.model.constants)}
        known |= {
            n: self.model.constants[n].array
            for n in names
            if n in self.model.constants and n not in known and self._whole(n)
        }
        matters = self.model.partial or any(name in self.model.read for name in outputs)
        sure = typed and matters and not any(name in self.missing for name in names)
        guesses = self.model.inference.types(question(node, types, known, self.model.opsets)) if sure else {}
        lost = [
            name
            for name in wanted
            if not typed or not self._opaque(node, name, guesses.get(name), reason, names, weights)
        ]
        for name in outputs:
            if name not in self.model.out.types:
                self.missing[name] = names
        if lost or not wanted:
            self.unread.append(Unread(node.name or next(iter(node.output), ""), operator(node), reason))

    def _whole(self, name: str) -> bool:
        try:
            return self.model.constants[name].array.dtype.kind in "iub"
        except ModelError:
            return False

    def _opaque(
        self,
        node: onnx.NodeProto,
        output: str,
        guess: onnx.TypeProto | None,
        reason: str,
        names: Sequence[str],
        weights: Mapping[str, Constant],
    ) -> bool:
        """Whether an output became an opaque layer."""
        mark = len(self.model.out.nodes)
        for type in (guess, self.model.declared.get(output)):
            if type is None:
                continue
            try:
                found = declared(type, output, self.model.symbols)
                self.model.out.apply(
                    node, (replace(opaque(node, found, reason, self._seen(names), weights), output=output),)
                )
                return True
            except Refusal:
                self.model.out.forget(mark)
        return False

    def _seen(self, names: Iterable[str]) -> tuple[str, ...]:
        """The tensors that these names stand for: what is missing depends on all that it was to be computed from."""
        found: dict[str, None] = {}
        todo, met = list(reversed(tuple(names))), set[str]()
        while todo:
            name = todo.pop()
            if name in self.model.out.types:
                found[name] = None
            elif name not in met:
                met.add(name)
                todo += reversed(self.missing.get(name, ()))
        return tuple(found)

    def _weights(self, node: onnx.NodeProto, names: Sequence[str]) -> dict[str, Constant]:
        """The constants that a node reads, those in its branches and bodies included."""
        found = dict(weights_among(names, self.model.constants))
        if any(True for _ in subgraphs(node)):
            for tensor in tensors_within(node):
                try:
                    name = self.model.out.free_name(f"{next(iter(node.output), '')}/{tensor.name}")
                    held = {name: Constant(name, array_of(tensor, self.model.file))}
                except ModelError:
                    continue
                found |= dict(weights_among((name,), held))
        return found
