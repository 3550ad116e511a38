"""Layers that are one operator as it stands: activations, batch norm, joins."""

from __future__ import annotations

import math
from dataclasses import replace

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Refusal
from onnxconv.graph import Node, TensorType
from onnxconv.ops import (
    Add,
    BatchNorm,
    Clip,
    Concat,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    Identity,
    LeakyRelu,
    Mish,
    Mul,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from onnxconv.ops.protocol import fixed
from onnxconv.resolve.site import Site

__all__ = [
    "add",
    "batch_norm",
    "clip",
    "concat",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_swish",
    "identity",
    "leaky_relu",
    "mish",
    "mul",
    "prelu",
    "relu",
    "relu6",
    "scale",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def relu(site: Site) -> tuple[Node, ...]:
    return (site.node(Relu()),)


def relu6(site: Site) -> tuple[Node, ...]:
    return (site.node(Clip(0.0, 6.0)),)


def leaky_relu(site: Site) -> tuple[Node, ...]:
    return (site.node(LeakyRelu(float(site.get("slope")))),)


def prelu(site: Site) -> tuple[Node, ...]:
    """Raises `Refusal` where there is no axis of channels."""
    if len(site.x) < 2:
        raise Refusal(
            "rank",
            f"prelu on a tensor of {len(site.x)} axis",
            "tensors are [N, C, *spatial], and prelu has one weight per channel",
            "give the input an axis of channels",
        )
    return (site.node(PRelu(bool(site.get("shared")))),)


def clip(site: Site) -> tuple[Node, ...]:
    low, high = (site.get(limit) for limit in ("min", "max"))
    return (site.node(Clip(None if low is None else float(low), None if high is None else float(high))),)


def sigmoid(site: Site) -> tuple[Node, ...]:
    return (site.node(Sigmoid()),)


def silu(site: Site) -> tuple[Node, ...]:
    return (site.node(Silu()),)


def tanh(site: Site) -> tuple[Node, ...]:
    return (site.node(Tanh()),)


def elu(site: Site) -> tuple[Node, ...]:
    return (site.node(Elu(float(site.get("alpha")))),)


def hard_sigmoid(site: Site) -> tuple[Node, ...]:
    return (site.node(HardSigmoid(float(site.get("alpha")), float(site.get("beta")))),)


def hard_swish(site: Site) -> tuple[Node, ...]:
    return (site.node(HardSwish()),)


def softplus(site: Site) -> tuple[Node, ...]:
    return (site.node(Softplus()),)


def gelu(site: Site) -> tuple[Node, ...]:
    """ONNX and torch call the exact form none: no approximation."""
    return (site.node(Gelu("none" if site.get("by") == "erf" else "tanh")),)


def mish(site: Site) -> tuple[Node, ...]:
    return (site.node(Mish()),)


def softmax(site: Site) -> tuple[Node, ...]:
    return (site.node(Softmax(site.integer("axis"))),)


def batch_norm(site: Site) -> tuple[Node, ...]:
    """A batch norm kept as a layer of its own; `fold` sees to the others. Raises `Refusal`."""
    if len(site.x) < 2:
        raise Refusal(
            "rank",
            f"batch norm on a tensor of {len(site.x)} axis",
            "tensors are [N, C, *spatial], and batch norm has one set of numbers per channel",
            "give the input an axis of channels",
        )
    return (site.node(BatchNorm(float(site.get("epsilon")))),)


def scale(site: Site) -> tuple[Node, ...]:
    """Each channel times its own number: a constant [C, 1, …] and a product. Raises `Refusal`."""
    if len(site.x) < 2:
        raise Refusal(
            "rank",
            f"scale on a tensor of {len(site.x)} axis",
            "tensors are [N, C, *spatial], and scale has one number per channel",
            "give the input an axis of channels",
        )
    site.need_floats()
    shape = (fixed(site.x[1], "the number of channels"), *(1,) * (len(site.x) - 2))
    factor = site.constant("weight", TensorType(site.dtype, shape), site.stored("Scale", "weight", shape, (1, 1)))
    return (factor, site.beside(factor).node(Mul()))


def constant(site: Site) -> tuple[Node, ...]:
    """A tensor that reads nothing. Raises `Refusal` where it is too large, or its data type has no such number."""
    given, dtype = site.get("shape", ()), site.get("dtype", site.dtype)
    shape = tuple(site.check("shape", n) for n in (given if isinstance(given, tuple) else (given,)))
    of = "Constant" if dtype in FLOATS else "Integers"
    drawn = replace(site.stored(of, "value", shape, (1, 1)), learned=math.prod(shape) > 1)
    made = site.constant("value", TensorType(dtype, shape), site.number("value", dtype) or drawn)
    return (replace(made, name=site.layer.name, output=site.layer.name),)


def identity(site: Site) -> tuple[Node, ...]:
    """Also what dropout is outside of training."""
    return (site.node(Identity()),)


def add(site: Site) -> tuple[Node, ...]:
    _one_dtype(site, "add")
    return (site.node(Add()),)


def mul(site: Site) -> tuple[Node, ...]:
    _one_dtype(site, "multiply")
    return (site.node(Mul()),)


def concat(site: Site) -> tuple[Node, ...]:
    _one_dtype(site, "concatenate")
    return (site.node(Concat(site.integer("axis"))),)


def _one_dtype(site: Site, verb: str) -> None:
    """Refuse to join tensors of different data types."""
    for name, type_ in zip(site.inputs, site.types, strict=True):
        if type_.dtype != site.dtype:
            raise Refusal(
                "dtype",
                f"cannot {verb} {site.inputs[0]!r} of {site.dtype} and {name!r} of {type_.dtype}",
                "tensors that are joined have one data type",
                "give the inputs of the network the same data type",
            )
