"""Faults of activations, joins, pools, transposed convolutions, and of what an optimiser fuses."""

from __future__ import annotations

import numpy as np

from faulty.machine import Fault, Step, correct
from faulty.mutant import Mutant, edited, explicit, on, weights

F32 = np.float32


def clipped(low: float | None, high: float | None, *ops: str) -> Fault:
    return edited(*ops)(lambda y, _: np.clip(y, low, high).astype(F32))


def replaced(what: object, *ops: str) -> Fault:
    """The first input goes through something else."""
    return on(*ops)(lambda step: np.asarray(what(step.xs[0]), F32))  # type: ignore[operator]


def limits(low: float, high: float) -> Fault:
    """Clip's own limits moved."""

    def fault(step: Step) -> np.ndarray:
        own = [None if v is None else F32(v) for v in (*step.xs[1:3], None, None)[:2]]
        moved = [None if v is None else v + F32(by) for v, by in zip(own, (low, high), strict=True)]
        return np.clip(step.xs[0], *moved).astype(F32) if any(v is not None for v in moved) else correct(step)

    return on("Clip")(fault)


ACTIVATIONS = tuple(
    Mutant(name, "activations", fault)
    for name, fault in {
        "ReLU6 for ReLU": clipped(None, 6, "Relu"),
        "ReLU100 for ReLU": clipped(None, 100, "Relu"),
        "no ReLU": replaced(lambda x: x, "Relu"),
        "ReLU leaks 0.001": replaced(lambda x: np.where(x < 0, x * F32(1e-3), x), "Relu"),
        "absolute value for ReLU": replaced(np.abs, "Relu"),
        "ReLU for ReLU6": replaced(lambda x: np.maximum(x, 0), "Clip"),
        "upper limit too small by 0.1": limits(0.0, -0.1),
        "lower limit too large by 0.001": limits(1e-3, 0.0),
        "no lower limit": limits(-1e30, 0.0),
        "leaky slope off by 1e-3": on("LeakyRelu")(
            lambda step: correct(step.given(alpha=step.attributes.get("alpha", 0.01) * 1.001))
        ),
        "leaky slope 0": replaced(lambda x: np.maximum(x, 0), "LeakyRelu"),
        "slopes of the next channel": on("PRelu")(
            lambda step: correct(step.given(step.xs[0], np.roll(step.xs[1], 1, 0)))
        ),
        "sigmoid by ten bits": edited("Sigmoid", "Tanh")(lambda y, _: (np.rint(y * 1024) / 1024).astype(F32)),
    }.items()
)


def concat_reversed(step: Step) -> np.ndarray:
    return np.concatenate(step.xs[::-1], axis=int(step.attributes["axis"]))


def concat_first(step: Step) -> np.ndarray:
    """The last piece is the first one's memory."""
    *rest, last = step.xs
    return np.concatenate(
        [*rest, step.xs[0] if step.xs[0].shape == last.shape else np.zeros_like(last)],
        axis=int(step.attributes["axis"]),
    )


def other_tensor(step: Step) -> np.ndarray:
    """Another tensor of that shape is added."""
    b = step.xs[1]
    others = [
        t
        for name, t in step.tensors.items()
        if name not in step.inputs and name not in step.constants and t.shape == b.shape and t.dtype == b.dtype
    ]
    return correct(step.given(step.xs[0], others[-1])) if others else correct(step)


def second(edit: object) -> Fault:
    return on("Add", "Mul")(lambda step: correct(step.given(step.xs[0], edit(step.xs[1]))))  # type: ignore[operator]


JOINS = tuple(
    Mutant(name, "joins", fault)
    for name, fault in {
        "second term not added": replaced(lambda x: x, "Add"),
        "first term added twice": on("Add")(lambda step: correct(step.given(step.xs[0], step.xs[0]))),
        "second term subtracted": second(lambda b: -b),
        "second term's channels in reverse order": second(lambda b: b[:, ::-1] if b.ndim > 1 else b),
        "second term a pixel late": second(lambda b: np.roll(b, 1, -1)),
        "second term of the other image": second(lambda b: b[::-1]),
        "another tensor added": on("Add")(other_tensor),
        "second term off by 1e-3": second(lambda b: b * F32(1.001)),
        "concatenated in reverse order": on("Concat")(concat_reversed),
        "last piece is the first": on("Concat")(concat_first),
        "pieces interleaved": edited("Concat")(
            lambda y, step: (
                y.reshape(len(y), -1, len(step.xs), *y.shape[2:]).swapaxes(1, 2).reshape(y.shape)
                if y.ndim > 1 and y.shape[1] % len(step.xs) == 0
                else y
            )
        ),
    }.items()
)


def counted(step: Step) -> np.ndarray:
    return correct(step.given(count_include_pad=1 - step.attributes.get("count_include_pad", 0)))


def zero_padded(step: Step) -> np.ndarray:
    return correct(explicit(step, constant_values=0)) if any(step.pads) else correct(step)


def smaller_window(step: Step) -> np.ndarray:
    """The last tap along the last axis is not read."""
    whole = explicit(step)
    size = step.kernel_shape[-1]
    if size < 2:
        return correct(step)
    cut = step.dilations[-1]
    return correct(whole.given(whole.xs[0][..., :-cut], kernel_shape=[*step.kernel_shape[:-1], size - 1]))


def cut_window(y: np.ndarray, step: Step) -> np.ndarray:
    """The last window is left out along the axes along which it reaches beyond the end."""
    windows = zip(step.kernel_shape, step.strides, step.dilations, step.pads, strict=False)
    for i, (size, stride, dilation, begin) in enumerate(windows):
        if (y.shape[2 + i] - 1) * stride + dilation * (size - 1) + 1 - begin > step.xs[0].shape[2 + i]:
            np.moveaxis(y, 2 + i, 0)[-1] = 0
    return y


def mean_without_last(step: Step) -> np.ndarray:
    x = step.xs[0][..., :-1] if step.xs[0].shape[-1] > 1 else step.xs[0]
    return correct(step.given(x))


POOLS = tuple(
    Mutant(name, "pools", fault)
    for name, fault in {
        "padding counted the other way": on("AveragePool")(counted),
        "maximum over zeros of the padding": on("MaxPool")(zero_padded),
        "last tap of a maximum not read": on("MaxPool")(smaller_window),
        "mean by one tap too many": edited("AveragePool")(
            lambda y, step: (y * F32(np.prod(step.kernel_shape) / (np.prod(step.kernel_shape) + 1))).astype(F32)
        ),
        "mean by a reciprocal of 11 bits": edited("AveragePool", "GlobalAveragePool")(
            lambda y, step: (y * F32(1 + 2.0**-12)).astype(F32)
        ),
        "windows beyond the end left out": edited("AveragePool", "MaxPool")(cut_window),
        "minimum for maximum": on("MaxPool")(lambda step: -correct(step.given(-step.xs[0]))),
        "maximum of absolute values": on("MaxPool")(lambda step: correct(step.given(np.abs(step.xs[0])))),
        "maximum begins at 0": clipped(0, None, "MaxPool"),
        "mean without the last column": on("GlobalAveragePool")(mean_without_last),
        "sum for mean": edited("GlobalAveragePool")(lambda y, step: y * F32(np.prod(step.xs[0].shape[2:]))),
    }.items()
)


def uncropped(step: Step) -> np.ndarray:
    return correct(step.given(pads=[0] * len(step.pads), output_padding=[0] * step.rank))


def cropped_late(step: Step) -> np.ndarray:
    """What is cut off at the begin is one more pixel, at the end one less."""
    right = correct(step)
    whole = np.pad(uncropped(step), [(0, 0), (0, 0), *[(0, right.shape[2 + i] + 2) for i in range(step.rank)]])
    at = tuple(slice(b + 1, b + 1 + n) for b, n in zip(step.pads, right.shape[2:], strict=False))
    return np.ascontiguousarray(whole[(..., *at)])


def crop_swapped(step: Step) -> np.ndarray:
    half = step.rank
    return correct(step.given(pads=[*step.pads[half:], *step.pads[:half]]))


def output_pad_first(step: Step) -> np.ndarray:
    """The extra pixels come first, not last."""
    y = correct(step)
    for i, extra in enumerate(step.output_padding):
        y = np.roll(y, extra, 2 + i) if extra else y
    return y


def phase_dropped(y: np.ndarray, step: Step) -> np.ndarray:
    if step.strides[-1] > 1:
        y[..., step.strides[-1] - 1 :: step.strides[-1]] = 0
    return y


def overwritten(step: Step) -> np.ndarray:
    """Where two pixels reach the same output along the first axis, the later one replaces the sum."""
    x, right = step.xs[0], correct(step)
    rows = x.shape[2]
    later = np.zeros_like(x)
    later[:, :, rows // 2 :] = x[:, :, rows // 2 :]
    y, reach = (
        correct(step.given(later)),
        correct(step.given((later != 0).astype(F32), np.ones_like(step.xs[1]), *map(np.zeros_like, step.xs[2:]))),
    )
    return np.where(reach > 0, y, right)


def slices_mixed(w: np.ndarray, _: Step) -> np.ndarray:
    """[C, M/g] is taken for [M/g, C]."""
    return np.ascontiguousarray(w.swapaxes(0, 1)).reshape(w.shape)


TRANSPOSED = tuple(
    Mutant(name, "transposed convolutions", fault)
    for name, fault in {
        "cut off a pixel late": on("ConvTranspose")(cropped_late),
        "cut off at the other side": on("ConvTranspose")(crop_swapped),
        "output padding first": on("ConvTranspose")(output_pad_first),
        "one phase not computed": edited("ConvTranspose")(phase_dropped),
        "overlaps not summed": on("ConvTranspose")(overwritten),
        "kernel's channels mixed": weights("ConvTranspose")(slices_mixed),
    }.items()
)


def fused(first: str, then: str) -> object:
    """The fault is of a pair that an optimiser may fuse: `then` reads what only it reads."""

    def limited(fault: Fault) -> Fault:
        return on(then)(lambda step: fault(step) if step.before and step.before.op == first else correct(step))

    return limited


def without_bias(step: Step) -> np.ndarray:
    before = step.before
    assert before is not None
    if len(before.xs) < 3:
        return correct(step)
    return correct(step.given(correct(before.given(*before.xs[:2], np.zeros_like(before.xs[2])))))


def early_activation(step: Step) -> np.ndarray:
    """The activation behind a sum is applied to its first term."""
    before = step.before
    assert before is not None
    return correct(before.given(np.maximum(before.xs[0], 0)))


def last_channel_unnormalised(step: Step) -> np.ndarray:
    y = correct(step)
    y[:, -1] = step.xs[0][:, -1]
    return y


def shift_before_scale(step: Step) -> np.ndarray:
    """x·s + (b − m) for x·s + (b − m·s)."""
    x, scale, shift, mean, variance = step.xs
    s = scale / np.sqrt(variance + F32(step.attributes.get("epsilon", 1e-5)))
    shaped = (-1, *[1] * (x.ndim - 2))
    return (x * s.reshape(shaped) + (shift - mean).reshape(shaped)).astype(F32)


FUSION = tuple(
    Mutant(name, "fusion", fault)
    for name, fault in {
        "fused ReLU: no bias": fused("Conv", "Relu")(on("Relu")(without_bias)),
        "fused clip: no bias": fused("Conv", "Clip")(on("Clip")(without_bias)),
        "fused ReLU: ReLU6": fused("Conv", "Relu")(clipped(None, 6, "Relu")),
        "fused ReLU: none": fused("Conv", "Relu")(replaced(lambda x: x, "Relu")),
        "fused sum: activation first": fused("Add", "Relu")(on("Relu")(early_activation)),
        "fused batch norm: last channel left out": fused("Conv", "BatchNormalization")(
            on("BatchNormalization")(last_channel_unnormalised)
        ),
        "fused batch norm: shift not scaled": fused("Conv", "BatchNormalization")(
            on("BatchNormalization")(shift_before_scale)
        ),
        "fused pool: maximum begins at 0": fused("Conv", "MaxPool")(clipped(0, None, "MaxPool")),
        "fused concatenation: last piece first": fused("Conv", "Concat")(on("Concat")(concat_first)),
    }.items()
)  # fmt: skip
