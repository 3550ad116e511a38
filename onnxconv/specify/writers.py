"""How each operator is said in the spec language: for every kind of layer the attributes that mean it, or that none do.

The inverse of `resolve`, kind by kind. Whatever is written here is resolved again and compared before anybody sees it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, Pads, TransposedAxis, causal_pads, ceil_axis, full_pads, same_crop, same_pads
from onnxconv.graph import Node, Number
from onnxconv.ops import (
    END,
    Abs,
    Add,
    AveragePool,
    BatchNorm,
    Cast,
    Ceil,
    ChannelShuffle,
    Clip,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthToSpace,
    Div,
    Elu,
    Erf,
    Exp,
    Expand,
    Flatten,
    Floor,
    Gather,
    Gelu,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    LocalResponseNorm,
    Log,
    LpPool,
    MatMul,
    Max,
    MaxPool,
    Min,
    Mish,
    Mul,
    Neg,
    Operator,
    Pad,
    Pow,
    PRelu,
    Reciprocal,
    ReduceL1,
    ReduceL2,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
    Reduction,
    Relu,
    Reshape,
    Resize,
    Round,
    Shape,
    Sigmoid,
    Silu,
    Slice,
    Softmax,
    Softplus,
    SpaceToDepth,
    Sqrt,
    Squeeze,
    Sub,
    Tanh,
    Tile,
    Transpose,
    Unsqueeze,
)
from onnxconv.spec import LAYERS
from onnxconv.specify import resample

__all__ = ["WITHOUT_WRITER", "WRITERS", "Said", "constant", "crop", "said"]

Attributes: TypeAlias = dict[str, Any]
Writer: TypeAlias = Callable[[Any, Shape], "Attributes | None"]
"""From an operator and the shape of its first input to attributes, those at their default included; None: not this kind."""


@dataclass(frozen=True, slots=True)
class Said:
    """A layer's kind and the attributes that have to be written, in the vocabulary's order."""

    kind: str
    attributes: tuple[tuple[str, Any], ...] = ()


def said(op: Operator, x: Shape) -> Said:
    """The operator in the words of the spec. Raises `Refusal` where there are none."""
    for kind, (operator, writer) in WRITERS.items():
        found = writer(op, x) if isinstance(op, operator) else None
        if found is not None:
            return Said(kind, tuple(_needed(kind, found)))
    raise Refusal("no-words", f"{op.kind} has no kind of layer in the spec language that says it as it is here")


def constant(node: Node, usual: str) -> Said:
    """A constant: its sizes, the number that it is where it says that, and its data type where that is not the `usual` one."""
    assert isinstance(node.op, Constant), "of a constant"
    ((_, param),) = node.params
    value = param.recipe.value if isinstance(param.recipe, Number) else None
    dtype = None if node.type.dtype == usual else node.type.dtype
    return Said("constant", tuple(_needed("constant", {**_constant(node.op, ()), "value": value, "dtype": dtype})))


def _constant(op: Constant, _: Shape) -> Attributes:
    return {"shape": list(op.shape) or None}


def _needed(kind: str, found: Attributes) -> Sequence[tuple[str, Any]]:
    """Attributes that are not at their default, in the vocabulary's order."""
    known = LAYERS[kind].attributes
    assert {a.name for a in known} >= found.keys(), f"{kind} has these attributes"
    return [(a.name, found[a.name]) for a in known if a.name in found and found[a.name] not in (a.default, None)]


def _conv(op: Conv, x: Shape) -> Attributes:
    depthwise = op.groups > 1 and op.groups == x[1]
    return {
        "filters": None if depthwise and op.out_channels == op.groups else op.out_channels,
        **_window(op.window, 1),
        "group": "depthwise" if depthwise else op.groups,
        "bias": op.bias,
        "pad": _pad(op.window, x),
    }


def _conv_transpose(op: ConvTranspose, x: Shape) -> Attributes:
    return {
        "filters": op.out_channels,
        **_window(op.window, 1),
        "group": "depthwise" if op.groups > 1 and op.groups == x[1] else op.groups,
        "bias": op.bias,
        "pad": _crop(op.window),
        "output_pad": _one(a.output_pad for a in op.window),
    }


def _crop(window: Sequence[TransposedAxis]) -> Any:
    crops = [a.pad for a in window]
    even = _numbers(crops)
    if even is not None:
        return even
    try:
        return "same" if crops == [same_crop(a) for a in window] else _pairs(crops)
    except Refusal:
        return _pairs(crops)


def _max_pool(op: MaxPool, x: Shape) -> Attributes:
    return {**_window(op.window, None), **_pool_pad(op.window, x)}


def _average_pool(op: AveragePool, x: Shape) -> Attributes:
    pad = {"pad": _pad(op.window, x)} if op.count_include_pad else _pool_pad(op.window, x)
    return {**_window(op.window, None), **pad, "count_include_pad": op.count_include_pad}


def _window(window: Sequence[Axis | TransposedAxis], stride: int | None) -> Attributes:
    """Kernel, stride and dilation; a stride of None is the kernel's."""
    kernel = _one(a.size for a in window)
    strides = _one(a.stride for a in window)
    return {
        "kernel": kernel,
        "stride": None if stride is None and strides == kernel else strides,
        "dilation": _one(a.dilation for a in window),
    }


def _one(values: Any) -> Any:
    """One number where all are equal, else a list."""
    found = list(values)
    return found[0] if len({*found}) == 1 else found


def _fixed(shape: Shape) -> bool:
    """None of its sizes is a formula over those of tensors."""
    return all(isinstance(n, int) for n in shape)


def _short(values: Sequence[Any]) -> Any:
    """A list of one is written as its entry."""
    return values[0] if len(values) == 1 else list(values)


def _numbers(pads: Sequence[Pads]) -> Any:
    """Pads with as many pixels at the end as at the begin, in short; None where there are others."""
    return _one(begin for begin, _ in pads) if all(begin == end for begin, end in pads) else None


def _pairs(pads: Sequence[Pads]) -> list[Any]:
    return [list(pad) for pad in pads]


def _pad(window: Sequence[Axis], x: Shape) -> Any:
    """The pads as numbers where both ends are equal, else by a word that comes to the same, else pair by pair."""
    pads = [a.pad for a in window]
    even = _numbers(pads)
    if even is not None:
        return even
    words: dict[str, Callable[[Axis, Any], Pads]] = {
        "causal": lambda a, _: causal_pads(a.extent),
        "same": lambda a, n: same_pads(n, a.extent, a.stride),
        "same_lower": lambda a, n: same_pads(n, a.extent, a.stride, lower=True),
        "full": lambda a, _: full_pads(a.extent),
    }
    for word, meaning in words.items():
        try:
            if pads == [meaning(a, n) for a, n in zip(window, x[2:], strict=True)]:
                return word
        except Refusal:
            continue
    return _pairs(pads)


def _pool_pad(window: Sequence[Axis], x: Shape) -> Attributes:
    """Pads of a pool; end pads that its ceil mode amounts to are said by it."""
    pads = [a.pad for a in window]
    if _numbers(pads) is None:
        even = [Axis(a.size, a.stride, a.dilation, (a.pad[0], a.pad[0])) for a in window]
        try:
            rounded = [ceil_axis(a, n).pad for a, n in zip(even, x[2:], strict=True)]
        except Refusal:
            rounded = []
        if rounded == pads:
            return {"pad": _numbers([a.pad for a in even]), "ceil": True}
    return {"pad": _pad(window, x)}


def _padding(op: Pad, _: Shape) -> Attributes:
    mode = "zeros" if (op.mode, op.value) == ("constant", 0) else op.mode
    even = _numbers(op.pads)
    return {
        "pad": _pairs(op.pads) if even is None else even,
        "pad_mode": mode,
        "pad_value": _number(op.value),
        "axis": op.first,
    }


def crop(op: Slice, x: Shape) -> Attributes | None:
    """A slice of several spatial axes, each without some pixels at its ends; None for any other."""
    cut = {along.axis: (along.start, 0 if along.stop == END else -along.stop) for along in op.ranges}
    plain = all(along.step == 1 for along in op.ranges) and all(end >= 0 for pair in cut.values() for end in pair)
    if not plain or len(cut) < 2 or min(cut) < 2 or any(r.stop == 0 for r in op.ranges) or [*cut] != sorted(cut):
        return None
    pixels = [cut.get(axis, (0, 0)) for axis in range(2, len(x))]
    even = _numbers(pixels)
    return {"pixels": _pairs(pixels) if even is None else even}


def _clip(op: Clip, _: Shape) -> Attributes:
    return {"min": _limit(op.low), "max": _limit(op.high)}


def _limit(value: float | None) -> float | None:
    return None if value is None else _number(value)


def _number(value: float) -> float:
    """A number as short as it can be written. Raises `Refusal` where a spec has none such."""
    if not math.isfinite(value):
        raise Refusal("no-words", f"it has the number {value}", "numbers in a spec are finite")
    return int(value) if value == int(value) and abs(value) < 2**53 else value


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


def _plain(_: Operator, __: Shape) -> Attributes:
    return {}


def _layer_norm(op: LayerNorm, x: Shape) -> Attributes | None:
    words = ("channel_axis", (1,)), ("last_axis", (len(x) - 1,)), ("all_axes", tuple(range(1, len(x))))
    over = next((word for word, axes in words if axes == op.axes), None)
    how = {"last": len(op.axes)} if over is None else {"over": over}
    return {**how, "epsilon": _number(op.epsilon), "bias": op.bias}


def _lrn(op: LocalResponseNorm, _: Shape) -> Attributes:
    return {"size": op.size, "alpha": _number(op.alpha), "beta": _number(op.beta), "k": _number(op.bias)}


def _reduced(op: Reduction, _: Shape) -> Attributes:
    return {"axes": _short(op.axes), "keep": op.keepdims}


WRITERS: Mapping[str, tuple[type[Operator], Writer]] = MappingProxyType(
    {
        "conv": (Conv, _conv),
        "conv_transpose": (ConvTranspose, _conv_transpose),
        "dense": (Dense, lambda op, _: {"features": op.out_features, "bias": op.bias}),
        "max_pool": (MaxPool, _max_pool),
        "average_pool": (AveragePool, _average_pool),
        "lp_pool": (LpPool, lambda op, x: {**_window(op.window, None), **_pool_pad(op.window, x), "p": op.p}),
        "global_lp_pool": (GlobalLpPool, lambda op, _: {"p": op.p}),
        "global_max_pool": (GlobalMaxPool, _plain),
        "global_average_pool": (GlobalAveragePool, _plain),
        "relu": (Relu, _plain),
        "relu6": (Clip, lambda op, _: {} if (op.low, op.high) == (0, 6) else None),
        "leaky_relu": (LeakyRelu, lambda op, _: {"slope": _number(op.slope)}),
        "prelu": (PRelu, lambda op, _: {"shared": op.shared}),
        "clip": (Clip, _clip),
        "sigmoid": (Sigmoid, _plain),
        "silu": (Silu, _plain),
        "tanh": (Tanh, _plain),
        "elu": (Elu, lambda op, _: {"alpha": _number(op.alpha)}),
        "hard_sigmoid": (HardSigmoid, lambda op, _: {"alpha": _number(op.alpha), "beta": _number(op.beta)}),
        "hard_swish": (HardSwish, _plain),
        "softplus": (Softplus, _plain),
        "gelu": (Gelu, lambda op, _: {"by": "tanh" if op.approximate == "tanh" else "erf"}),
        "mish": (Mish, _plain),
        "softmax": (Softmax, lambda op, _: {"axis": op.axis}),
        "batch_norm": (BatchNorm, lambda op, _: {"epsilon": _number(op.epsilon)}),
        "layer_norm": (LayerNorm, _layer_norm),
        "group_norm": (GroupNorm, lambda op, _: {"group": op.groups, "epsilon": _number(op.epsilon)}),
        "instance_norm": (InstanceNorm, lambda op, _: {"epsilon": _number(op.epsilon)}),
        "lrn": (LocalResponseNorm, _lrn),
        "reduce_sum": (ReduceSum, _reduced),
        "reduce_mean": (ReduceMean, _reduced),
        "reduce_max": (ReduceMax, _reduced),
        "reduce_min": (ReduceMin, _reduced),
        "reduce_l1": (ReduceL1, _reduced),
        "reduce_l2": (ReduceL2, _reduced),
        "reduce_sum_square": (ReduceSumSquare, _reduced),
        "reduce_prod": (ReduceProd, _reduced),
        "neg": (Neg, _plain),
        "abs": (Abs, _plain),
        "sqrt": (Sqrt, _plain),
        "exp": (Exp, _plain),
        "log": (Log, _plain),
        "erf": (Erf, _plain),
        "reciprocal": (Reciprocal, _plain),
        "floor": (Floor, _plain),
        "ceil": (Ceil, _plain),
        "round": (Round, _plain),
        "sub": (Sub, _plain),
        "div": (Div, _plain),
        "pow": (Pow, _plain),
        "maximum": (Max, _plain),
        "minimum": (Min, _plain),
        "matmul": (MatMul, _plain),
        "add": (Add, _plain),
        "mul": (Mul, _plain),
        "concat": (Concat, lambda op, _: {"axis": op.axis}),
        "flatten": (Flatten, lambda op, _: {"axis": op.axis}),
        "reshape": (Reshape, lambda op, _: {"shape": list(op.shape)} if _fixed(op.shape) else None),
        "transpose": (Transpose, lambda op, _: {"axes": list(op.perm)}),
        "squeeze": (Squeeze, lambda op, _: {"axes": _short(op.axes)}),
        "unsqueeze": (Unsqueeze, lambda op, _: {"axes": _short(op.axes)}),
        "crop": (Slice, crop),
        "slice": (Slice, _slice),
        "gather": (Gather, _gather),
        "constant": (Constant, _constant),
        "expand": (Expand, lambda op, _: {"shape": _short(op.shape)} if _fixed(op.shape) else None),
        "tile": (Tile, lambda op, _: {"repeats": _short(op.repeats)}),
        "channel_shuffle": (ChannelShuffle, lambda op, _: {"group": op.groups}),
        "depth_to_space": (DepthToSpace, lambda op, _: {"block": op.block, "order": op.order.lower()}),
        "space_to_depth": (SpaceToDepth, lambda op, _: {"block": op.block, "order": op.order.lower()}),
        "cast": (Cast, lambda op, _: {"to": op.to}),
        "pad": (Pad, _padding),
        "upsample": (Resize, resample.upsample),
        "resize": (Resize, resample.resize),
        "identity": (Identity, _plain),
    }
)
"""By kind of layer, the operator that it is and how it is said; of several kinds the first that fits."""

WITHOUT_WRITER: Mapping[str, str] = MappingProxyType(
    {
        "dropout": "outside of training it is the identity, and is said as such",
        "scale": "it is two operators, a constant and a product: see `fused`",
    }
)
"""Kinds of layers that nothing is said as, and why."""
