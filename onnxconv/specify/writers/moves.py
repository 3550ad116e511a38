"""How operators that move values are said."""

from __future__ import annotations

from onnxconv.ops import (
    END,
    Cast,
    ChannelShuffle,
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    Identity,
    Operator,
    Reshape,
    Shape,
    Slice,
    SpaceToDepth,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
)
from onnxconv.specify.writers.words import Attributes, Writer, plain, short

__all__ = ["MOVES"]


def _slice(op: Slice, _: Shape) -> Attributes | None:
    if len(op.ranges) != 1:
        return None
    (along,) = op.ranges
    first, last = (0, END) if along.step > 0 else (-1, -END)
    return {
        "axis": along.axis,
        "start": None if along.start == first else along.start,
        "stop": None if along.stop == last else along.stop,
        "step": along.step,
    }


def _gather(op: Gather, _: Shape) -> Attributes | None:
    if len(op.shape) > 1:
        return {"axis": op.axis, "indices": list(op.indices), "shape": list(op.shape)}
    return {"axis": op.axis, "indices": list(op.indices) if op.shape else op.indices[0]}


def _fixed(shape: Shape) -> bool:
    """None of its sizes is a formula over those of tensors."""
    return all(isinstance(n, int) for n in shape)


MOVES: dict[str, tuple[type[Operator], Writer]] = {
    "flatten": (Flatten, lambda op, _: {"axis": op.axis}),
    "reshape": (Reshape, lambda op, _: {"shape": list(op.shape)} if _fixed(op.shape) and not op.zeros else None),
    "transpose": (Transpose, lambda op, _: {"axes": list(op.perm)}),
    "squeeze": (Squeeze, lambda op, _: {"axes": short(op.axes)}),
    "unsqueeze": (Unsqueeze, lambda op, _: {"axes": short(op.axes)}),
    "slice": (Slice, _slice),
    "gather": (Gather, _gather),
    "expand": (Expand, lambda op, _: {"shape": short(op.shape)} if _fixed(op.shape) else None),
    "tile": (Tile, lambda op, _: {"repeats": short(op.repeats)}),
    "channel_shuffle": (ChannelShuffle, lambda op, _: {"group": op.groups}),
    "depth_to_space": (DepthToSpace, lambda op, _: {"block": op.block, "order": op.order.lower()}),
    "space_to_depth": (SpaceToDepth, lambda op, _: {"block": op.block, "order": op.order.lower()}),
    "cast": (Cast, lambda op, _: {"to": op.to}),
    "identity": (Identity, plain),
}
"""Axes in other orders, cuts and repeats."""
