"""What a mutant is: a fault with a name, and the words in which faults are written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from faulty.machine import Fault, Step, correct


@dataclass(frozen=True)
class Mutant:
    """A fault of a runtime. `special`: it shows on infinities, NaN, −0 or subnormal numbers alone."""

    name: str
    family: str
    fault: Fault
    special: bool = False


def on(*ops: str) -> Callable[[Fault], Fault]:
    """The fault is one of these operators, on float32; all, where none is named. Shapes stay as they are."""

    def limited(fault: Fault) -> Fault:
        def found(step: Step) -> np.ndarray:
            right = correct(step)
            if (ops and step.op not in ops) or right.dtype != np.float32:
                return right
            wrong = fault(step)
            return wrong if wrong.shape == right.shape else right

        return found

    return limited


def edited(*ops: str) -> Callable[[Callable[[np.ndarray, Step], np.ndarray]], Fault]:
    """The fault is made of a copy of the right output."""
    return lambda edit: on(*ops)(lambda step: edit(correct(step).copy(), step))


def weights(*ops: str) -> Callable[[Callable[[np.ndarray, Step], np.ndarray]], Fault]:
    """The fault is made of a copy of the kernel."""
    return lambda edit: on(*ops)(lambda step: correct(step.given(step.xs[0], edit(step.xs[1].copy(), step))))


def place(size: int, *keys: object) -> int:
    """A place from 0 to size − 1 that depends on the keys alone."""
    return zlib.crc32("\0".join(map(str, keys)).encode()) % size


def image(step: Step) -> tuple[slice, ...]:
    return (slice(None),) * step.rank


def widths(pads: Sequence[int]) -> list[tuple[int, int]]:
    """Of all axes of [N, C, *S], from ONNX's begins and ends."""
    half = len(pads) // 2
    return [(0, 0), (0, 0), *zip(pads[:half], pads[half:], strict=True)]


def explicit(step: Step, **how: object) -> Step:
    """The input of a convolution or a maximum padded by hand (`how`: of `np.pad`), and no pads left."""
    how = how or {"constant_values": -np.inf if step.op == "MaxPool" else 0}
    x = np.pad(step.xs[0], widths(step.pads), **how)  # type: ignore[call-overload]
    return step.given(x.astype(step.xs[0].dtype), pads=[0] * len(step.pads))


def shifted(x: np.ndarray, by: int, axis: int, fill: float = 0.0) -> np.ndarray:
    """y[i] = x[i + by] along an axis, `fill` beyond its ends."""
    y = np.roll(x, -by, axis)
    at = [slice(None)] * x.ndim
    at[axis] = slice(-by, None) if by > 0 else slice(None, -by)
    y[tuple(at)] = fill
    return y


def emptied(step: Step) -> float:
    """What padding holds."""
    return -np.inf if step.op == "MaxPool" else 0.0
