"""Weights that a model stores as integers: dequantised constants, which stay integers where a layer has them so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from onnxconv.load.step import Constant, Reading, Step
from onnxconv.ops import Conv, Dense, DequantizedConv, DequantizedGemm

__all__ = ["Stored", "on_integers", "stored"]


@dataclass(frozen=True, slots=True)
class Stored:
    """Integers and what they are multiplied with: a number, or one per position of the first axis."""

    values: Constant
    scale: Constant


def stored(at: Reading) -> Stored | None:
    """What a DequantizeLinear of constants multiplies: int8 or int32 by float32, with zero point 0. None for any other."""
    values, scale = at.constant(0, "operand"), at.constant(1, "scale")
    shape, scaled = values.array.shape, scale.array.shape
    if scaled == (1,) != shape[:1]:
        scale, scaled = at.derived(scale, "one", scale.array.reshape(())), ()
    whole = scaled == () or (scaled == shape[:1] and len(shape) > 0 and at.axis(1, len(shape)) == 0)
    symmetric = not at.has(2) or not at.constant(2, "zero point").array.any()
    types = (values.array.dtype.name, scale.array.dtype.name)
    fits = types in (("int8", "float32"), ("int32", "float32")) and not at.integer("block_size", 0)
    return Stored(values, scale) if whole and symmetric and fits else None


def on_integers(step: Step, kept: Mapping[str, Stored]) -> Step:
    """A convolution or a dense layer all of whose weights are stored as integers, on these; any other step as it is."""
    if not isinstance(step.op, Conv | Dense) or not all(weight.name in kept for weight in step.weights.values()):
        return step
    found = {role: kept[weight.name] for role, weight in step.weights.items()}
    wanted = {"weight": "int8", "bias": "int32"}
    ranks = {one.scale.array.ndim for one in found.values()}
    if len(ranks) > 1 or any(one.values.array.dtype.name != wanted[role] for role, one in found.items()):
        return step
    weights: dict[str, Constant] = {}
    for role, one in found.items():
        weights |= {role: one.values, f"{role}_scale": one.scale}
    made = DequantizedConv if isinstance(step.op, Conv) else DequantizedGemm
    return replace(step, op=made(step.op, ranks == {1}), weights=weights)
