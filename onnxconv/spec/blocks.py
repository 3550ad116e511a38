"""Blocks of a file: their parameters, their layers, and that none uses itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxconv.errors import Where
from onnxconv.spec.form import Scope, check_node
from onnxconv.spec.layers import LayerReader
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.names import parameter_name
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.vocabulary import LAYERS, suggestion
from onnxconv.spec.written import Block, Steps

__all__ = ["Head", "endless", "read_heads"]

DEEPEST_USE = 60
"""Lists of layers inside one another, through blocks, groups and branches."""


@dataclass(frozen=True, slots=True)
class Head:
    """A block whose layers are not read yet; a parameter without a default (None) must be given."""

    name: str
    where: Where
    parameters: tuple[tuple[str, Node | None], ...]
    layers: Node | None

    def required(self) -> dict[str, bool]:
        """For each parameter, whether it must be given."""
        return {name: default is None for name, default in self.parameters}

    def block(self, reader: LayerReader, scope: Scope) -> Block:
        """The block, its layers read."""
        known = frozenset(scope) | {name for name, _ in self.parameters}
        body = Steps(()) if self.layers is None else reader.steps(self.layers, known)
        return Block(self.name, self.parameters, body, self.where, scope)


def read_heads(entry: Entry | None, scope: Scope, mistakes: Mistakes) -> tuple[Head, ...]:
    """The blocks by name, so that layers can be read that use them."""
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
        return ()
    if not isinstance(entry.value, Table):
        what, rule = f"blocks are {described(entry.value)}", "blocks are a table from names to layers"
        mistakes.add(entry.value.where, "blocks", what, rule, "write name: {parameters: ..., layers: ...}")
        return ()
    return tuple(_head(block, scope, mistakes) for block in entry.value.entries)


def _head(block: Entry, scope: Scope, mistakes: Mistakes) -> Head:
    if block.key in LAYERS:
        rule = f"{block.key!r} is a kind of layer"
        mistakes.add(block.where, "reserved", f"a block is called {block.key!r}", rule, "rename it")
    else:
        parameter_name(block.key, block.where, "a block", mistakes)
    if isinstance(block.value, Items):
        return Head(block.key, block.where, (), block.value)
    layers = block.value.get("layers") if isinstance(block.value, Table) else None
    if layers is None:
        rule = "a block is a list of layers, or a table with parameters and layers"
        mistakes.add(block.where, "blocks", f"the block {block.key} has no layers", rule, "add layers:")
    if not isinstance(block.value, Table):
        return Head(block.key, block.where, (), None)
    known = ("parameters", "layers")
    for entry in block.value.entries:
        if entry.key not in known:
            mistakes.add(entry.where, "unknown-key", f"a block has no {entry.key!r}", "", suggestion(entry.key, known))
    parameters = _parameters(block.value.get("parameters"), scope, mistakes)
    return Head(block.key, block.where, parameters, layers.value if layers else None)


def _parameters(entry: Entry | None, scope: Scope, mistakes: Mistakes) -> tuple[tuple[str, Node | None], ...]:
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
        return ()
    if not isinstance(entry.value, Table):
        rule = "parameters are a table; one without a default has no value"
        fix = "write parameters: {filters, stride: 1}"
        mistakes.add(entry.value.where, "parameters", f"parameters are {described(entry.value)}", rule, fix)
        return ()
    found: dict[str, Node | None] = {}
    for one in entry.value.entries:
        parameter_name(one.key, one.where, "a parameter", mistakes)
        required = isinstance(one.value, Scalar) and one.value.value is None
        if not required:
            check_node(one.value, frozenset(scope) | found.keys(), (), mistakes)
        found[one.key] = None if required else one.value
    return tuple(found.items())


def endless(blocks: Mapping[str, Block], steps: Steps, where: Where, mistakes: Mistakes) -> bool:
    """Whether a block uses itself, or layers are nested too deep when blocks are written out; both are reported."""
    found, done = len(mistakes), dict[str, int]()

    def height(steps: Steps, path: tuple[str, ...], level: int) -> int:
        """Lists of layers inside one another, this one counted."""
        if level > DEEPEST_USE:
            return 1
        deepest = 1
        for step in steps.steps:
            for inner in step.inner():
                deepest = max(deepest, 1 + height(inner, path, level + 1))
            if step.block in path:
                circle = " uses ".join((*path[path.index(step.block) :], step.block))
                rule = "a block is written out where it is used, which would never end"
                mistakes.add(
                    step.where, "recursion", f"the block {step.block} uses itself: {circle}", rule, "use repeat"
                )
            elif step.block is not None:
                if step.block not in done:
                    done[step.block] = height(blocks[step.block].body, (*path, step.block), level + 1)
                deepest = max(deepest, 1 + done[step.block])
        return deepest

    roots = [(f"the block {name}", block.body, (name,), block.where) for name, block in blocks.items()]
    for what, body, path, place in (*roots, ("the layers", steps, (), where)):
        if height(body, path, 0) > DEEPEST_USE:
            rule = f"blocks and groups inside one another are at most {DEEPEST_USE} deep"
            mistakes.add(
                place, "depth", f"in {what}, blocks are nested deeper", rule, "use fewer blocks inside one another"
            )
    return len(mistakes) > found
