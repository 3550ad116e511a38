"""Which kernel computes which operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnxconv.execute.fast.block import Kernel, triple, whole
from onnxconv.execute.fast.conv import conv_kernel
from onnxconv.execute.fast.defined import DefinedKernel, dense_kernel
from onnxconv.execute.fast.pool import global_kernel, pool_kernel
from onnxconv.execute.fast.resize import by_matrices, resize_kernel
from onnxconv.execute.fast.shuffle import shuffle_kernel
from onnxconv.execute.fast.sliding import sliding_kernel
from onnxconv.execute.fast.transposed import transposed_kernel
from onnxconv.geometry import Array
from onnxconv.graph import Node
from onnxconv.ops import (
    AveragePool,
    ChannelShuffle,
    Conv,
    ConvTranspose,
    Dense,
    DequantizedConv,
    DequantizedGemm,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
    Operator,
    Resize,
)

__all__ = ["defined_kernel", "has_kernel", "kernel_of"]

_KERNELS = (
    *(Conv, ConvTranspose, Dense, DequantizedConv, DequantizedGemm),
    *(MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, ChannelShuffle),
)


def has_kernel(op: Operator) -> bool:
    """Whether there is a kernel for an operator on floating point numbers."""
    return isinstance(op, _KERNELS) or (isinstance(op, Resize) and by_matrices(op))


def kernel_of(op: Operator, shapes: Sequence[tuple[int, ...]], w: Mapping[str, Array], dtype: str) -> Kernel:
    """The kernel for inputs of these shapes, computing in `dtype`, which is that of the weights too."""
    match op:
        case Conv():
            given = shapes[0], w["weight"], w.get("bias")
            return sliding_kernel(op, *given) or conv_kernel(op, *given)
        case ConvTranspose():
            return transposed_kernel(op, shapes[0], w["weight"], w.get("bias"))
        case Dense():
            return dense_kernel(shapes[0][0], w["weight"], w.get("bias"))
        case MaxPool() | AveragePool():
            return pool_kernel(op, shapes[0], np.dtype(dtype))
        case GlobalAveragePool() | GlobalMaxPool():
            return global_kernel(op, shapes[0])
        case ChannelShuffle():
            return shuffle_kernel(op.groups, shapes[0])
        case Resize():
            return resize_kernel(op, shapes[0], np.dtype(dtype))
    raise AssertionError(f"{op.kind} has no kernel")


def defined_kernel(node: Node, y: Sequence[int], w: Mapping[str, Array], dtypes: Sequence[str]) -> DefinedKernel:
    """The definition: of floating point numbers alone in the type that kernels compute in, else in float64 or exactly."""
    narrow = all(dtype in ("float32", "float16", "bfloat16") for dtype in (*dtypes, node.type.dtype))
    return DefinedKernel(node, w, "float32" if narrow else "float64", whole(triple(y)))
