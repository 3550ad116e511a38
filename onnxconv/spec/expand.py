"""Steps to layers: repeats and blocks written out, names made unique, references found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from onnxconv.errors import Where
from onnxconv.spec.arguments import arguments, repetitions
from onnxconv.spec.attribute import attributes
from onnxconv.spec.form import Scope, called, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Node
from onnxconv.spec.tensors import Tensors
from onnxconv.spec.value import Layer, Value
from onnxconv.spec.vocabulary import Kind
from onnxconv.spec.written import Block, Reference, Repeat, Step, Steps

__all__ = ["Expander"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step is being written out: parameters, the prefix of names, and the tensor before it."""

    scope: Scope
    prefix: str
    before: str | None


class Expander:
    """Writes steps out into `layers`; every layer's tensor can then be found in `tensors`."""

    def __init__(self, blocks: Mapping[str, Block], tensors: Tensors, init: Value | None, mistakes: Mistakes) -> None:
        self._blocks, self.tensors, self._init, self._mistakes = blocks, tensors, init, mistakes
        self.layers: list[Layer] = []

    def steps(self, steps: Steps, scope: Scope, prefix: str = "", before: str | None = None) -> str | None:
        """The tensor after the last of the steps, or `before` where there is none."""
        for step in steps.steps:
            before = self._step(step, _Place(scope, prefix, before))
        return before

    def _step(self, step: Step, place: _Place) -> str | None:
        if step.repeat is not None:
            return self._repeated(step, step.repeat, place)
        if not self._wanted(step.when, place.scope):
            return place.before
        if step.body is not None and step.name is None:
            return self.steps(step.body, place.scope, place.prefix, self._start(step.source, place))
        name = self._name(step, place.prefix)
        return self._once(step, place, name, place.prefix, step.source)

    def _repeated(self, step: Step, repeat: Repeat, place: _Place) -> str | None:
        """`from` is for the first repetition, the others read the one before; a join of names reads the same ones."""
        name, before, source = "", place.before, step.source
        values = repetitions(repeat, place.scope, self._mistakes)
        if values is None:
            return self._missing(self._name(step, place.prefix), step.where)
        for i, value in enumerate(values):
            scope = {**place.scope, repeat.variable: value} if repeat.variable else place.scope
            if self._wanted(step.when, scope):
                name = name or self._name(step, place.prefix)
                one = self.tensors.claim("", "", f"{name}.{i}", step.where)
                for steps in step.inner():
                    self.tensors.reserve(f"{one}.", steps.names)
                before = self._once(step, _Place(scope, place.prefix, before), one, f"{one}.", source)
                source = () if step.branches != () else source
        if name and before is not None:
            self.tensors.add(name, before, step.where)
        return before

    def _wanted(self, when: Node | None, scope: Scope) -> bool:
        if when is None:
            return True
        value = work_out(when, scope, self._mistakes)
        if value is not None and not isinstance(value.value, int):
            self._mistakes.add(
                value.where,
                "type",
                f"when is {called(value)}",
                "when is a whole number: 0 leaves the layer out",
                "write a condition, such as i > 0",
            )
        return value is None or bool(value.value)

    def _name(self, step: Step, prefix: str) -> str:
        return self.tensors.claim(prefix, step.word, step.name, step.name_where)

    def _once(self, step: Step, place: _Place, name: str, inner: str, source: tuple[Reference, ...]) -> str | None:
        """One repetition, or the only one, called `name`; layers in its branches have names in the scope `inner`."""
        if step.kind is not None:
            troubles = self._troubles()
            inputs = self._read(step, step.kind, place, inner, source)
            layer = self._layer(step, step.kind, name, place.scope, inputs)
            orphan = not inputs and not step.kind.source and len(self._mistakes)  # of inputs that were refused
            if not step.wrong and self._troubles() == troubles and not orphan:
                self.layers.append(layer)
            self.tensors.add(name, name, step.where)
            return name
        end = self._start(source, place)
        if step.body is not None:
            end = self._scoped(step.body, place.scope, name, end)
        elif step.block is not None:
            block = self._blocks[step.block]
            scope = arguments(block, step, place.scope, self._mistakes)
            if scope is None:
                return self._missing(name, step.where)
            end = self._scoped(block.body, scope, name, end)
        else:
            return self._missing(name, step.where)
        if end is not None:
            self.tensors.add(name, end, step.where)
        return end

    def _missing(self, name: str, where: Where) -> str:
        """The tensor of something about which a mistake was reported: it can be referred to, but no layer makes it."""
        self.tensors.add(name, name, where)
        return name

    def _troubles(self) -> int:
        return self._mistakes.said + self.tensors.unknown

    def _scoped(self, body: Steps, scope: Scope, name: str, before: str | None) -> str | None:
        self.tensors.reserve(f"{name}.", body.names)
        return self.steps(body, scope, f"{name}.", before)

    def _layer(self, step: Step, kind: Kind, name: str, scope: Scope, inputs: tuple[str, ...]) -> Layer:
        init = self._init if "init" in {a.name for a in kind.attributes} and not kind.name.endswith("_norm") else None
        found = attributes(kind, step.entries, scope, init, step.where, self._mistakes)
        return Layer(name, kind.name, found, inputs, step.where)

    def _start(self, source: tuple[Reference, ...], place: _Place) -> str | None:
        if not source:
            return place.before
        found = self._found(source[0], place)
        if len(found) > 1:
            what = f"{source[0].name!r} matches {len(found)} tensors"
            self._mistakes.add(
                source[0].where,
                "from",
                what,
                "this layer reads one tensor",
                "name one, or join them with add or concat",
            )
        return found[0] if found else None

    def _read(
        self, step: Step, kind: Kind, place: _Place, inner: str, source: tuple[Reference, ...]
    ) -> tuple[str, ...]:
        """The tensors that a layer reads."""
        if kind.join:
            return self._joined(step, place, inner, source)
        if not kind.source:
            return self._start_of(step, source, place)
        if source:
            rule = "it is the same whatever comes before"
            self._mistakes.add(step.where, "reads-nothing", f"{step.word} reads nothing", rule, "leave out from")
        return ()

    def _start_of(self, step: Step, source: tuple[Reference, ...], place: _Place) -> tuple[str, ...]:
        start = self._start(source, place)
        if start is None and not source:
            self._nothing_before(step.where, step.word, place)
        return () if start is None else (start,)

    def _nothing_before(self, where: Where, word: str, place: _Place) -> None:
        inputs = [name for name, tensor in self.tensors.items() if name == tensor]
        if not inputs:
            return  # a mistake was reported
        names = ", ".join(inputs)
        self._mistakes.add(
            where,
            "no-input",
            f"nothing comes before {word}",
            f"there are {len(inputs)} inputs ({names}), so the first layer says which it reads",
            f"add from: {inputs[0]}",
        )

    def _joined(self, step: Step, place: _Place, inner: str, source: tuple[Reference, ...]) -> tuple[str, ...]:
        branches = step.branches or ()
        if not branches:
            return tuple(tensor for reference in source for tensor in self._found(reference, place))
        start = self._start(source, place)
        inputs: list[str] = []
        for branch in branches:
            if isinstance(branch, Reference):
                inputs += self._found(branch, _Place(place.scope, inner, start))
            else:
                end = self.steps(branch, place.scope, inner, start)
                if end is None and not source:
                    self._nothing_before(step.where, step.word, place)
                inputs += [] if end is None else [end]
        return tuple(inputs)

    def _found(self, reference: Reference, place: _Place) -> tuple[str, ...]:
        if reference.name == "previous":
            if place.before is None:
                self._nothing_before(reference.where, "previous", place)
            return () if place.before is None else (place.before,)
        if re.search(r"[*?]", reference.name):
            return self.tensors.matching(reference, place.prefix)
        found = self.tensors.find(reference, place.prefix)
        return () if found is None else (found,)
