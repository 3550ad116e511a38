"""Faults of precision: operands, sums, results and single weights that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
from verify.emulated import nearest, truncated

from faulty.machine import SUMS, Fault, Step, correct
from faulty.mutant import Mutant, edited, on, weights

Rounding = Callable[[np.ndarray], np.ndarray]


def through(dtype: object) -> Rounding:
    return lambda a: a.astype(dtype).astype(np.float32)


half, brain = through(np.float16), through(ml_dtypes.bfloat16)


def operands(cut: Rounding) -> Fault:
    return on(*SUMS)(lambda step: correct(step.given(cut(step.xs[0]), cut(step.xs[1]))))


def kernels(cut: Rounding) -> Fault:
    return weights(*SUMS)(lambda w, _: cut(w))


def results(cut: Rounding, *ops: str) -> Fault:
    return edited(*ops)(lambda y, _: cut(y))


def biases(cut: Rounding) -> Fault:
    return on("Conv", "ConvTranspose", "Gemm")(
        lambda step: correct(step.given(*step.xs[:2], cut(step.xs[2])) if len(step.xs) > 2 else step)
    )


def sums(cut: Rounding, parts: int = 4) -> Fault:
    """Every fourth term is summed apart, and the running sum of the four is kept in a narrow type."""

    def fault(step: Step) -> np.ndarray:
        x, w, *bias = step.xs
        groups = np.arange(w.size).reshape(w.shape) % parts
        if step.op == "Conv" and w[0].size % parts == 0:
            groups = np.broadcast_to(np.arange(w[0].size).reshape(w.shape[1:]) % parts, w.shape)
        total = 0.0
        for part in range(parts):
            total = cut(
                np.float32(
                    total
                    + cut(correct(step.given(x, np.where(groups == part, w, np.float32(0)), *map(np.zeros_like, bias))))
                )
            )
        if bias:
            total = cut(total + bias[0].reshape(-1, *[1] * (total.ndim - 2)))
        return total

    return on(*SUMS)(fault)


def one_weight(relative: float, largest: bool = True) -> Fault:
    """The largest weight of the last filter, or the one in the middle of all, is off; by 0: to the next number."""

    def edit(w: np.ndarray, _: Step) -> np.ndarray:
        flat = w[-1].reshape(-1) if largest else w.reshape(-1)
        at = int(np.abs(flat).argmax()) if largest else flat.size // 2
        off = np.float32(flat[at] * (1 + relative))
        flat[at] = np.nextafter(flat[at], np.float32(np.inf)) if off == flat[at] else off
        return w

    return weights(*SUMS)(edit)


def flushed(a: np.ndarray) -> np.ndarray:
    return np.where(np.abs(a) < np.float32(2.0**-126), np.float32(0), a)


def ignored_epsilon(step: Step) -> np.ndarray:
    return correct(step.given(epsilon=0.0))


def epsilon_of_1e_3(step: Step) -> np.ndarray:
    return correct(step.given(epsilon=1e-3))


def short_root(step: Step) -> np.ndarray:
    """The variance's root is looked up with 12 bits."""
    x, scale, bias, mean, variance = step.xs
    root = nearest(np.sqrt(variance + np.float32(step.attributes.get("epsilon", 1e-5))))
    return correct(step.given(x, scale, bias, mean, root * root, epsilon=0.0))


PRECISION = (
    *(
        Mutant(f"{name} operands", "precision", operands(cut))
        for name, cut in {"float16": half, "bfloat16": brain, "TF32": nearest, "TF32 truncated": truncated}.items()
    ),
    Mutant("float16 weights", "precision", kernels(half)),
    Mutant("bfloat16 weights", "precision", kernels(brain)),
    Mutant("weights too large by 1e-6", "precision", kernels(lambda w: w * np.float32(1 + 1e-6))),
    Mutant("float16 sums", "precision", sums(half)),
    Mutant("bfloat16 sums", "precision", sums(brain)),
    Mutant("TF32 sums", "precision", sums(nearest)),
    Mutant("float16 results", "precision", results(half, *SUMS, "AveragePool", "GlobalAveragePool")),
    Mutant("bfloat16 results", "precision", results(brain, *SUMS, "AveragePool", "GlobalAveragePool")),
    Mutant("float16 tensors", "precision", results(half)),
    Mutant("float16 biases", "precision", biases(half)),
    *(Mutant(f"one weight off by {off:g}", "precision", one_weight(off)) for off in (1e-2, 1e-3, 1e-4, 1e-6)),
    Mutant("one weight off by 1 ulp", "precision", one_weight(0.0)),
    Mutant("a middle weight off by 1e-4", "precision", one_weight(1e-4, largest=False)),
    Mutant("batch norm without epsilon", "precision", on("BatchNormalization")(ignored_epsilon)),
    Mutant("batch norm with epsilon 1e-3", "precision", on("BatchNormalization")(epsilon_of_1e_3)),
    Mutant("batch norm's root in 12 bits", "precision", on("BatchNormalization")(short_root)),
)


def cut_infinity(y: np.ndarray, _: Step) -> np.ndarray:
    return np.clip(y, np.finfo(np.float32).min, np.finfo(np.float32).max)


def flush(step: Step) -> np.ndarray:
    return flushed(
        correct(step.given(*(flushed(x) if x is not None and x.dtype == np.float32 else x for x in step.xs)))
    )


SPECIAL = (
    Mutant("subnormal numbers flushed to zero", "special values", on()(flush), special=True),
    Mutant("infinities cut to the largest number", "special values", edited()(cut_infinity), special=True),
    Mutant(
        "NaN becomes 0", "special values", edited()(lambda y, _: np.where(np.isnan(y), np.float32(0), y)), special=True
    ),
    Mutant(
        "NaN becomes infinite",
        "special values",
        edited()(lambda y, _: np.where(np.isnan(y), np.float32(np.inf), y)),
        special=True,
    ),
    Mutant("−0 becomes 0", "special values", edited()(lambda y, _: y + np.float32(0)), special=True),
    Mutant(
        "results below 1e-6 become 0",
        "special values",
        edited()(lambda y, _: np.where(np.abs(y) < np.float32(1e-6), np.float32(0), y)),
    ),
    Mutant(
        "results above 1e4 lose their last bits",
        "special values",
        edited()(lambda y, _: np.where(np.abs(y) > np.float32(1e4), nearest(y), y)),
    ),
    Mutant(
        "saturation at 65504", "special values", edited()(lambda y, _: np.clip(y, -65504, 65504).astype(np.float32))
    ),
)
