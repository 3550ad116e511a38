"""A serialized model whose arrays are put in as they are made: no weight is copied, and one piece is held at a time.

Protocol buffers write a field as ``number << 3 | 2``, its length and its content, fields in the order of their numbers:
https://protobuf.dev/programming-guides/encoding. So what surrounds the arrays is known once their sizes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import onnx

__all__ = ["framed", "length"]

Piece = bytes | str
"""Bytes of the model, or the name of an initializer whose array belongs there."""


def framed(model: onnx.ModelProto, sizes: Mapping[str, int]) -> tuple[Piece, ...]:
    """The serialized model in pieces; each initializer of `sizes`, which has no content yet, gets raw data of that many bytes."""
    before, after = _around(model.graph, "initializer")
    tensors = chain.from_iterable(_tensor(tensor, sizes) for tensor in model.graph.initializer)
    graph = (before, *tensors, after)
    outer, rest = _around(model, "graph")
    return (outer, _opening(model, "graph", length(graph, sizes)), *graph, rest)


def length(pieces: tuple[Piece, ...], sizes: Mapping[str, int]) -> int:
    """Bytes of all pieces together, with the arrays."""
    return sum(sizes[piece] if isinstance(piece, str) else len(piece) for piece in pieces)


def _tensor(tensor: onnx.TensorProto, sizes: Mapping[str, int]) -> Iterator[Piece]:
    """One initializer, as a field of the graph."""
    size = sizes.get(tensor.name)
    if size is None:
        pieces: tuple[Piece, ...] = (_serialized(tensor),)
    else:
        before, after = _around(tensor, "raw_data")
        pieces = (before, _opening(tensor, "raw_data", size), tensor.name, after)
    yield _opening(onnx.GraphProto, "initializer", length(pieces, sizes))
    yield from pieces


def _around(message: Any, name: str) -> tuple[bytes, bytes]:
    """What is serialized before a field and after it."""
    number = message.DESCRIPTOR.fields_by_name[name].number
    sides = type(message)(), type(message)()
    for side, keeps in zip(sides, (number.__gt__, number.__lt__), strict=True):
        side.CopyFrom(message)
        for field, _ in message.ListFields():
            if not keeps(field.number):
                side.ClearField(field.name)
    before, after = map(_serialized, sides)
    return before, after


def _opening(message: Any, name: str, size: int) -> bytes:
    """What stands before the content of a field of `size` bytes."""
    number = message.DESCRIPTOR.fields_by_name[name].number
    return _varint(number << 3 | 2) + _varint(size)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    septets = [number & 0x7F]
    while number := number >> 7:
        septets[-1] |= 0x80
        septets.append(number & 0x7F)
    return bytes(septets)


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
