"""Faults of memory, and of single elements."""

from __future__ import annotations

import numpy as np

from faulty.machine import SUMS, Fault, Step, correct
from faulty.mutant import Mutant, edited, explicit, on, place

LAYERS = (*SUMS, "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Concat")


def stale(whole: bool) -> Fault:
    """What the run before left (zeros in the first) is not overwritten: everywhere, or at one place."""

    def edit(y: np.ndarray, step: Step) -> np.ndarray:
        before = step.past.get(step.name, np.zeros_like(y))
        if whole:
            return before
        at = place(y.size, "stale", y.shape)
        y.reshape(-1)[at] = before.reshape(-1)[at]
        return y

    return edited(*LAYERS)(edit)


def row_unwritten(y: np.ndarray, _: Step) -> np.ndarray:
    """One row of one channel keeps what fresh memory holds."""
    rows = y.reshape(-1, y.shape[-1])
    rows[place(len(rows), "row", y.shape)] = 0
    return y


def garbage_tail(y: np.ndarray, _: Step) -> np.ndarray:
    y.reshape(-1)[-3:] = np.float32(1e-3)
    return y


def tail_of_four(y: np.ndarray, _: Step) -> np.ndarray:
    """A vector loop without its remainder."""
    flat = y.reshape(-1)
    flat[flat.size // 4 * 4 :] = 0
    return y


def past_the_row(step: Step) -> np.ndarray:
    """The padding at a row's end is the memory that follows: the begin of the next row."""
    if step.rank < 1 or not step.pads[-1]:
        return correct(step)
    whole, x = explicit(step), step.xs[0]
    padded = whole.xs[0]
    begin, n = step.pads[step.rank - 1], x.shape[-1]
    follows = np.roll(x.reshape(-1), -n).reshape(x.shape)[..., :1]
    inner = (slice(None), slice(None), *(slice(b, b + s) for b, s in zip(step.pads, x.shape[2:-1], strict=False)))
    padded[(*inner, slice(begin + n, begin + n + 1))] = follows
    return correct(whole)


def image_reused(y: np.ndarray, _: Step) -> np.ndarray:
    y[1:] = y[:1]
    return y


def channel_of_first_image(step: Step) -> np.ndarray:
    x = step.xs[0].copy()
    x[1:, -1] = x[:1, -1]
    return correct(step.given(x))


def uncleared(y: np.ndarray, _: Step) -> np.ndarray:
    """The sums of an image begin where those of the image before ended."""
    return np.cumsum(y, axis=0, dtype=np.float32)


def unwritten_tile(y: np.ndarray, _: Step) -> np.ndarray:
    if y.ndim > 3:
        y[:, :, ..., -2:, -2:] = 0
    return y


def bias(edit: object) -> Fault:
    def fault(step: Step) -> np.ndarray:
        return correct(step.given(*step.xs[:2], edit(step.xs[2].copy())) if len(step.xs) > 2 else step)  # type: ignore[operator]

    return on(*SUMS)(fault)


def scaled_last(by: float) -> object:
    def edit(b: np.ndarray) -> np.ndarray:
        b[-1] *= np.float32(by)
        return b

    return edit


def in_place(step: Step) -> np.ndarray:
    """The activation overwrites its input, which others read too."""
    y = correct(step)
    if step.inputs[0] not in step.constants:
        step.tensors[step.inputs[0]] = y
    return y


MEMORY = tuple(
    Mutant(name, "memory", fault)
    for name, fault in {
        "one element of the run before": stale(False),
        "the whole run before": stale(True),
        "one row not written": edited(*LAYERS)(row_unwritten),
        "three elements not written": edited(*LAYERS)(garbage_tail),
        "vector tail not written": edited(*LAYERS)(tail_of_four),
        "read past the row": on("Conv", "MaxPool")(past_the_row),
        "first image's result for all": edited(*LAYERS)(image_reused),
        "a channel of the first image for all": on(*SUMS)(channel_of_first_image),
        "sums not cleared between images": edited(*SUMS, "AveragePool")(uncleared),
        "last tile not written": edited(*SUMS, "MaxPool", "AveragePool")(unwritten_tile),
        "biases of the next channel": bias(lambda b: np.roll(b, -1)),
        "activation in place": on("Relu", "Clip", "LeakyRelu")(in_place),
    }.items()
)


def one_element(edit: object, *key: object) -> Fault:
    def change(y: np.ndarray, _: Step) -> np.ndarray:
        at, flat = place(y.size, *key, y.shape), y.reshape(-1)
        flat[at] = edit(flat[at])  # type: ignore[operator]
        return y

    return edited(*LAYERS)(change)


def one_position(y: np.ndarray, _: Step) -> np.ndarray:
    if y.ndim > 2:
        flat = y.reshape(*y.shape[:2], -1)
        flat[..., place(flat.shape[-1], "position", y.shape)] *= np.float32(1.001)
    return y


def flipped_bit(bit: int) -> object:
    return lambda v: (v.view(np.uint32) ^ np.uint32(1 << bit)).view(np.float32)


def quietest(step: Step) -> np.ndarray:
    """The filter with the smallest weights is off by a tenth."""
    w = step.xs[1].copy()
    if step.op == "ConvTranspose":
        w = w.swapaxes(0, 1)
    at = int(np.abs(w).reshape(len(w), -1).max(axis=1).argmin())
    w[at] *= np.float32(1.1)
    return correct(step.given(step.xs[0], w.swapaxes(0, 1) if step.op == "ConvTranspose" else w))


SINGLE = tuple(
    Mutant(name, "single elements", fault)
    for name, fault in {
        "one output off by 1e-3": one_element(lambda v: v * np.float32(1.001), "off"),
        "one output off by 1 ulp": one_element(lambda v: np.nextafter(v, np.float32(np.inf)), "ulp"),
        "one output's bit 10 flipped": one_element(flipped_bit(10), "bit"),
        "one output's bit 20 flipped": one_element(flipped_bit(20), "bit20"),
        "one output's sign flipped": one_element(lambda v: -v, "sign"),
        "one output NaN": one_element(lambda _: np.float32(np.nan), "nan"),
        "one position off by 1e-3": edited(*LAYERS)(one_position),
        "last bias missing": bias(scaled_last(0.0)),
        "last bias added twice": bias(scaled_last(2.0)),
        "last bias off by 1e-4": bias(scaled_last(1 + 1e-4)),
        "quietest filter off by 10 %": on(*SUMS)(quietest),
    }.items()
)
