"""Faults of geometry: windows, channels, groups and layouts that are elsewhere."""

from __future__ import annotations

import numpy as np

from faulty.machine import SUMS, Fault, Step, correct
from faulty.mutant import Mutant, edited, emptied, explicit, on, shifted, weights

CONV = ("Conv",)
GLIDING = ("Conv", "MaxPool")
KERNEL = ("Conv", "ConvTranspose")


def pads_shifted(axis: int, by: int = 1) -> Fault:
    def fault(step: Step) -> np.ndarray:
        whole = explicit(step)
        return correct(whole.given(shifted(whole.xs[0], by, axis, emptied(step))))

    return on(*GLIDING)(fault)


def sides_swapped(step: Step) -> np.ndarray:
    half = step.rank
    return correct(step.given(pads=[*step.pads[half:], *step.pads[:half]]))


def axes_swapped(step: Step) -> np.ndarray:
    """Each axis has the pads of the next one, and reads from where they begin."""
    whole, half = explicit(step), step.rank
    x = whole.xs[0]
    for i in range(half):
        by = step.pads[i] - step.pads[(i + 1) % half]
        x = shifted(x, by, 2 + i, emptied(step)) if by else x
    return correct(whole.given(x))


def dilated(change: int) -> Fault:
    """A dilation of 1, or one more than asked; windows begin where they did."""

    def fault(step: Step) -> np.ndarray:
        whole = explicit(step)
        x = whole.xs[0]
        dilations = [
            1 if not change else d + (change if k > 1 else 0)
            for d, k in zip(step.dilations, step.kernel_shape, strict=True)
        ]
        for i, (old, new, size) in enumerate(zip(step.dilations, dilations, step.kernel_shape, strict=True)):
            more, axis = (new - old) * (size - 1), 2 + i
            if more > 0:
                x = np.pad(x, [(0, more if a == axis else 0) for a in range(x.ndim)], constant_values=emptied(step))
            elif more < 0:
                x = np.take(x, range(x.shape[axis] + more), axis)
        return correct(
            whole.given(x, dilations=dilations, ceil_mode=0)
            if step.op == "MaxPool"
            else whole.given(x, dilations=dilations)
        )

    return on(*GLIDING)(fault)


def stride_phase(step: Step) -> np.ndarray:
    """Windows begin a pixel late along the axes that are strided."""
    whole = explicit(step)
    x = whole.xs[0]
    for i, stride in enumerate(step.strides):
        x = shifted(x, 1, 2 + i, emptied(step)) if stride > 1 else x
    return correct(whole.given(x))


def strides_swapped(step: Step) -> np.ndarray:
    right, dense = correct(step), correct(step.given(strides=[1] * step.rank))
    for i, stride in enumerate(step.strides[::-1]):
        at = np.minimum(np.arange(right.shape[2 + i]) * stride, dense.shape[2 + i] - 1)
        dense = np.take(dense, at, 2 + i)
    return dense


def stride_one(step: Step) -> np.ndarray:
    dense, right = correct(step.given(strides=[1] * step.rank)), correct(step)
    return dense[(..., *(slice(n) for n in right.shape[2:]))]


def flipped(w: np.ndarray, _: Step) -> np.ndarray:
    return w[(slice(None), slice(None), *[slice(None, None, -1)] * (w.ndim - 2))]


def flipped_last(w: np.ndarray, _: Step) -> np.ndarray:
    return w[..., ::-1]


def transposed(w: np.ndarray, _: Step) -> np.ndarray:
    return w.swapaxes(-1, -2) if w.ndim > 3 and w.shape[-1] == w.shape[-2] else w


def turned(w: np.ndarray, _: Step) -> np.ndarray:
    return np.rot90(w, axes=(-2, -1)) if w.ndim > 3 and w.shape[-1] == w.shape[-2] else w


def groups_of(step: Step) -> int:
    return int(step.attributes.get("group", 1))


def groups_reversed(w: np.ndarray, step: Step) -> np.ndarray:
    return w.reshape(groups_of(step), -1, *w.shape[1:])[::-1].reshape(w.shape)


def groups_mixed(w: np.ndarray, step: Step) -> np.ndarray:
    g = groups_of(step)
    return w.reshape(g, len(w) // g, *w.shape[1:]).swapaxes(0, 1).reshape(w.shape)


def groups_shuffled(step: Step) -> np.ndarray:
    """Channels are dealt out to the groups one by one."""
    x, g = step.xs[0], groups_of(step)
    return correct(step.given(x.reshape(len(x), -1, g, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)))


def first_group(step: Step) -> np.ndarray:
    """Every group reads the channels of the first one."""
    x, g = step.xs[0], groups_of(step)
    own = x[:, : x.shape[1] // g]
    return correct(step.given(np.concatenate([own] * g, axis=1)))


def outputs_swapped(y: np.ndarray, _: Step) -> np.ndarray:
    if y.ndim > 1:
        y[:, :2] = y[:, 1::-1].copy()
    return y


def input_order(order: slice) -> Fault:
    return on(*SUMS)(lambda step: correct(step.given(step.xs[0][:, order])))


def inputs_swapped(step: Step) -> np.ndarray:
    x = step.xs[0].copy()
    x[:, :2] = x[:, 1::-1].copy()
    return correct(step.given(x))


def channels_last(y: np.ndarray, _: Step) -> np.ndarray:
    """Memory is [N, *S, C] and taken for [N, C, *S]."""
    return np.moveaxis(y, 1, -1).reshape(y.shape)


def axes_exchanged(y: np.ndarray, _: Step) -> np.ndarray:
    return y.swapaxes(-1, -2) if y.ndim > 3 else y


def without(at: tuple[slice | int, ...]) -> Fault:
    def edit(w: np.ndarray, _: Step) -> np.ndarray:
        w[at] = 0
        return w

    return weights(*SUMS)(edit)


def last_tap(w: np.ndarray, _: Step) -> np.ndarray:
    w.reshape(*w.shape[:2], -1)[..., -1] = 0
    return w


def odd_tail(step: Step) -> np.ndarray:
    """What is beyond a multiple of four channels is not read."""
    x = step.xs[0].copy()
    x[:, x.shape[1] // 4 * 4 :] = 0
    return correct(step.given(x))


def zeroed(*at: slice | int) -> Fault:
    def edit(y: np.ndarray, _: Step) -> np.ndarray:
        if y.ndim > 2:
            y[(..., *at[-(y.ndim - 2) :])] = 0
        return y

    return edited(*SUMS, "MaxPool", "AveragePool")(edit)


def repeated_edge(y: np.ndarray, _: Step) -> np.ndarray:
    if y.ndim > 2 and y.shape[-1] > 1:
        y[..., -1] = y[..., -2]
    return y


def padding(**how: object) -> Fault:
    return on(*CONV)(lambda step: correct(explicit(step, **how)) if any(step.pads) else correct(step))


ALL = slice(None)

GEOMETRY = tuple(
    Mutant(name, "geometry", fault)
    for name, fault in {
        "windows a pixel late, first axis": pads_shifted(2),
        "windows a pixel late, last axis": pads_shifted(-1),
        "windows a pixel early, last axis": pads_shifted(-1, -1),
        "begin and end pads exchanged": on(*GLIDING, "AveragePool")(sides_swapped),
        "pads of the other axis": on(*GLIDING)(axes_swapped),
        "dilation ignored": dilated(0),
        "dilation too large by 1": dilated(1),
        "strides begin late": on(*GLIDING)(stride_phase),
        "strides of the other axis": on(*GLIDING, "AveragePool")(strides_swapped),
        "strides ignored": on(*GLIDING, "AveragePool")(stride_one),
        "kernel flipped": weights(*KERNEL)(flipped),
        "kernel flipped along the last axis": weights(*KERNEL)(flipped_last),
        "kernel transposed": weights(*KERNEL)(transposed),
        "kernel turned": weights(*KERNEL)(turned),
        "groups in reverse order": weights(*KERNEL)(groups_reversed),
        "groups' filters mixed": weights(*KERNEL)(groups_mixed),
        "groups' channels dealt out": on(*KERNEL)(groups_shuffled),
        "all groups read the first": on(*KERNEL)(first_group),
        "two output channels exchanged": edited(*SUMS)(outputs_swapped),
        "two input channels exchanged": on(*SUMS)(inputs_swapped),
        "input channels in reverse order": input_order(slice(None, None, -1)),
        "channels last": edited(*SUMS, "MaxPool", "AveragePool")(channels_last),
        "axes exchanged": edited(*SUMS, "MaxPool", "AveragePool")(axes_exchanged),
        "last input channel not read": without((ALL, -1)),
        "channels beyond a multiple of 4 not read": on(*SUMS)(odd_tail),
        "last filter not computed": without((-1,)),
        "last tap not read": weights(*KERNEL)(last_tap),
        "last column not computed": zeroed(-1),
        "first column not computed": zeroed(0),
        "last row not computed": zeroed(-1, ALL),
        "last column repeats its neighbour": edited(*SUMS, "MaxPool", "AveragePool")(repeated_edge),
        "edge padding for zeros": padding(mode="edge"),
        "reflected padding for zeros": padding(mode="reflect"),
        "periodic padding for zeros": padding(mode="wrap"),
        "padding of 0.001": padding(constant_values=1e-3),
    }.items()
)
