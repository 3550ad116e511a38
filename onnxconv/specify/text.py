"""Items as the text of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from onnxconv.graph import TensorType
from onnxconv.spec import LAYERS
from onnxconv.spec.scalar import resolve, surprise
from onnxconv.specify.items import PREVIOUS, Block, Branch, Item, Layer, Repeated, Use, in_line

__all__ = ["text"]

_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./+-]*\Z")


def text(
    name: str,
    inputs: tuple[tuple[str, TensorType], ...],
    items: tuple[Item, ...],
    outputs: tuple[str, ...],
    names: Mapping[str, str],
    blocks: tuple[Block, ...] = (),
    remarks: tuple[str, ...] = (),
) -> str:
    """The whole spec. `names`: what inputs and named layers are called, by tensor; `outputs` empty: the last layer."""
    lines = [*(f"# {remark}" for remark in remarks), f"name: {_word(name)}", "inputs:"]
    for given, type in inputs:
        sizes = ", ".join(map(str, type.shape))
        lines.append(f"  {_word(names[given])}: {type.dtype}[{sizes}]")
    lines += [*_blocks(blocks, names), "layers:", *_Writer(names, blocks).items(items, "  ")]
    if outputs:
        lines.append(f"outputs: [{', '.join(_word(names[output]) for output in outputs)}]")
    return "\n".join(lines) + "\n"


def _blocks(blocks: tuple[Block, ...], names: Mapping[str, str]) -> Iterator[str]:
    if blocks:
        yield "blocks:"
    for block in blocks:
        yield f"  {block.name}:"
        if not block.parameters:
            yield from _Writer(names, blocks).items(block.body, "    ")
            continue
        given = (f"{p}: {_value(block.defaults[p])}" if p in block.defaults else p for p in block.parameters)
        yield f"    parameters: {{{', '.join(given)}}}"
        yield "    layers:"
        yield from _Writer(names, blocks).items(block.body, "      ")


class _Writer:
    """Lists of layers, indented."""

    def __init__(self, names: Mapping[str, str], blocks: tuple[Block, ...] = ()) -> None:
        self.names, self.blocks = names, {block.name: block for block in blocks}

    def items(self, items: tuple[Item, ...], indent: str) -> Iterator[str]:
        for item in items:
            if isinstance(item, Repeated):
                yield from self._repeated(item, indent)
            else:
                yield from self._one(item, indent, self._beside(item))

    def _one(self, item: Layer | Use, indent: str, beside: list[str]) -> Iterator[str]:
        if isinstance(item, Use):
            yield from self._use(item, indent, beside)
        else:
            yield from self._layer(item, indent, beside)

    def _use(self, use: Use, indent: str, beside: list[str]) -> Iterator[str]:
        block = self.blocks[use.block]
        given = {p: v for p, v in use.arguments if p not in block.defaults or block.defaults[p] != v}
        head = f"{indent}- {use.block}"
        if given.keys() == {*block.parameters[:1]} and given:
            yield f"{head}: {_value(given[block.parameters[0]])}"
        elif given:
            yield f"{head}: {_flow({p: _value(v) for p, v in given.items()})}"
        else:
            yield f"{head}:" if beside else head
        yield from (f"{indent}  {line}" for line in beside)

    def _beside(self, layer: Layer | Use) -> list[str]:
        """What stands beside the layer's kind."""
        beside = [] if layer.name is None else [f"name: {_word(self.names[layer.name])}"]
        return beside + ([] if layer.source is None else [f"from: {_word(self.names[layer.source])}"])

    def _repeated(self, item: Repeated, indent: str) -> Iterator[str]:
        once, times = item.times[0], [f"repeat: {len(item.times)}"]
        if len(once) == 1 and not isinstance(once[0], Repeated):
            yield from self._one(once[0], indent, times)
            return
        yield f"{indent}- layers:"
        yield from self.items(once, indent + "    ")
        yield from (f"{indent}  {line}" for line in times)

    def _layer(self, layer: Layer, indent: str, beside: list[str]) -> Iterator[str]:
        head = f"{indent}- {layer.said.kind}"
        attributes = dict(layer.said.attributes)
        if LAYERS[layer.said.kind].join:
            yield from self._join(layer, head, indent, attributes)
        elif attributes:
            yield f"{head}: {_attributes(layer.said.kind, attributes)}"
        else:
            yield f"{head}:" if beside else head
        yield from (f"{indent}  {line}" for line in beside)

    def _join(self, layer: Layer, head: str, indent: str, attributes: dict[str, Any]) -> Iterator[str]:
        inner = indent + "    "
        if in_line(layer):
            named = f"[{', '.join(self._in_line(branch) for branch in layer.branches)}]"
            whole = {"of": named} | {key: _value(value) for key, value in attributes.items()}
            yield f"{head}: {named}" if not attributes else f"{head}: {_flow(whole)}"
            return
        yield f"{head}:"
        if attributes:
            yield from (f"{inner}{key}: {_value(value)}" for key, value in attributes.items())
            yield f"{inner}of:"
            inner += "  "
        else:
            inner = indent + "    "
        for branch in layer.branches:
            if isinstance(branch, str):
                yield f"{inner}- {self._reference(branch)}"
            elif not branch:
                yield f"{inner}- []"
            else:
                first, *rest = self.items(branch, inner + "  ")
                yield f"{inner}- {first.lstrip()}"
                yield from rest

    def _in_line(self, branch: Branch) -> str:
        if isinstance(branch, str):
            return self._reference(branch)
        (one,) = self.items(branch, "")
        return f"[{one.removeprefix('- ')}]"

    def _reference(self, tensor: str) -> str:
        return "previous" if tensor == PREVIOUS else _word(self.names[tensor])


def _attributes(kind: str, attributes: dict[str, Any]) -> str:
    bare = LAYERS[kind].bare
    if attributes.keys() == {bare}:
        return _value(attributes[str(bare)])
    return _flow({key: _value(value) for key, value in attributes.items()})


def _flow(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value) if isinstance(value, str | int) else repr(value)


def _word(name: str) -> str:
    """A name as YAML takes it for a text."""
    plain = _PLAIN.match(name) is not None and isinstance(resolve(name), str) and surprise(name) is None
    return name if plain else f'"{name}"'
