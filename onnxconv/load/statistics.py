"""What norms tell beside their result, and batch norm as it is trained: read as the operators that they are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.load.step import PREVIOUS, Constant, Reading, Step
from onnxconv.ops import Add, Div, Mul, Reciprocal, ReduceMean, Sqrt, Sub

__all__ = ["layer_statistics", "trained_batch_norm"]


def layer_statistics(at: Reading, axes: tuple[int, ...]) -> Sequence[Step]:
    """Mean and 1 ÷ √(variance + epsilon), the second and third output of a LayerNormalization in float32."""
    outputs = [*at.node.output, "", ""][1:3]
    if not any(outputs) or at.type().dtype != "float32":
        return ()
    mean = outputs[0] or at.fresh("mean")
    steps = [*_centred(at, axes, mean), *_deviation(at, axes)]
    return (*steps, Step(Reciprocal(), (PREVIOUS,), output=outputs[1] or at.fresh("inverse")))


def trained_batch_norm(at: Reading) -> Sequence[Step]:
    """Since opset 14: each channel less its own mean, over its own deviation; means and variances run on.

    running = momentum · input + (1 − momentum) · that of this batch, the variance being that of the population (ONNX,
    BatchNormalization).
    """
    x = at.shape()
    axes = tuple(axis for axis in range(len(x)) if axis != 1)
    momentum = at.real("momentum", 0.9)
    steps = [*_centred(at, axes, at.fresh("mean")), *_deviation(at, axes)]
    steps.append(Step(Div(), (at.fresh("centred"), PREVIOUS), output=at.fresh("normal")))
    for which, moment in ((1, "mean"), (2, "variance")):
        output = [*at.node.output, "", ""][which]
        if output:
            held = at.constant(2 + which, f"running {moment}")
            batch = at.fresh(f"{moment} of the batch")
            steps += [
                Step(
                    ReduceMean(axes, keepdims=False),
                    (at.tensor() if which == 1 else at.fresh("squares"),),
                    output=batch,
                ),
                Step(Mul(), (batch, _number(at, f"{moment} share", 1 - momentum)), output=at.fresh(f"new {moment}")),
                Step(Mul(), (held.name, _number(at, f"{moment} momentum", momentum)), settled=(held.name,)),
                Step(Add(), (PREVIOUS, at.fresh(f"new {moment}")), output=output),
            ]
    spread = (-1, *[1] * (len(x) - 2))
    scale, shift = (at.weight(i, what) for i, what in ((1, "scale"), (2, "bias")))
    wide = [at.derived(c, f"over{len(x)}", c.array.reshape(spread)) for c in (scale, shift)]
    return (*steps, Step(Mul(), (at.fresh("normal"), wide[0])), Step(Add(), (PREVIOUS, wide[1])))


def _centred(at: Reading, axes: tuple[int, ...], mean: str) -> Sequence[Step]:
    centred = at.fresh("centred")
    return (
        Step(ReduceMean(axes), (at.tensor(),), output=mean),
        Step(Sub(), (at.tensor(), mean), output=centred),
        Step(Mul(), (centred, centred), output=at.fresh("squares")),
    )


def _deviation(at: Reading, axes: tuple[int, ...]) -> Sequence[Step]:
    """√(variance + epsilon), of the squares."""
    return (
        Step(ReduceMean(axes), (at.fresh("squares"),)),
        Step(Add(), (PREVIOUS, _number(at, "epsilon", at.real("epsilon", 1e-5)))),
        Step(Sqrt(), (PREVIOUS,)),
    )


def _number(at: Reading, name: str, value: float) -> Constant:
    return Constant(at.fresh(name), rounded(np.array(np.float32(value)), at.type().dtype))
