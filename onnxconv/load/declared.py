"""Types of tensors as a file declares them, or as onnx infers them for one node. Neither is trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Size, evaluated, is_formula, names
from onnxconv.graph import TensorType
from onnxconv.load.file import dtype_name
from onnxconv.resolve.limits import LARGEST_INTEGER, check_tensor

__all__ = ["DOMAINS", "declared", "question"]

DOMAINS = ("", "ai.onnx")
LONGEST = 64
"""Letters in the name of an open size; longer ones are replaced."""
PLACE = re.compile(r"x\d+\.\d+")
"""What `onnxconv.ops.sizes` calls the size of an axis."""
SIGN = re.compile(r"[^\w.:]")
"""What may be no part of a name in a formula."""
TELLING = 1 << 10
"""Numbers in a constant up to which onnx may look at it: it tells a shape."""


def declared(type: onnx.TypeProto, name: str, known: Mapping[str, Size], role: str = "tensor") -> TensorType:
    """The type of a tensor; sizes without a number or a proper name get a name of their own. `known`: symbols pinned.

    Raises `Refusal` for what is no tensor, has no shape, or a size that no tensor has.
    """
    what = f"the {role} {name!r}"
    tensor = type.tensor_type
    if not type.HasField("tensor_type") or (dtype := dtype_name(tensor.elem_type)) not in DTYPES:
        kind = type.WhichOneof("value") or "of no type"
        said = dtype_name(tensor.elem_type) if kind == "tensor_type" else kind.removesuffix("_type")
        raise Refusal("dtype", f"{what} is {said}", f"tensors are of type {', '.join(DTYPES)}")
    if not tensor.HasField("shape"):
        raise Refusal("no-shape", f"{what} has no shape", "", "export it with a shape")
    shape = tuple(_size(dim, f"{name}_{axis}", known) for axis, dim in enumerate(tensor.shape.dim))
    for axis, n in enumerate(shape):
        if isinstance(n, int) and not 0 <= n <= LARGEST_INTEGER:
            why = f"a size is 0 to {LARGEST_INTEGER}, or a symbol"
            raise Refusal("input-size", f"axis {axis} of {what} has size {n}", why)
    check_tensor(shape)
    return TensorType(dtype, shape)


def _size(dim: onnx.TensorShapeProto.Dimension, own: str, known: Mapping[str, Size]) -> Size:
    """A number, or an open size by name or formula. Exporters write -1, ``?`` or nothing for one without a name."""
    if dim.HasField("dim_value") and dim.dim_value != -1:
        return int(dim.dim_value)
    name = dim.dim_param
    if len(name) > LONGEST or not is_formula(name) or any(map(PLACE.fullmatch, names(name))):
        name = SIGN.sub(lambda sign: f"_{ord(sign[0]):x}_", own)
    return evaluated(name, known)


def question(
    node: onnx.NodeProto,
    types: Mapping[str, TensorType],
    constants: Mapping[str, Array],
    opsets: Mapping[str, int],
) -> onnx.ModelProto:
    """A node with the types of its inputs, for onnx to infer those of its outputs from.

    `constants`: known values among its inputs, of which onnx is shown the types, and the numbers of small ones.
    """
    given = {name: _proto(type.dtype, type.shape) for name, type in types.items()}
    given |= {name: _proto(array.dtype.name, array.shape) for name, array in constants.items()}
    asked = onnx.ModelProto(opset_import=[onnx.helper.make_opsetid(name, version) for name, version in opsets.items()])
    asked.graph.node.add().CopyFrom(node)
    if node.domain in DOMAINS:
        asked.graph.node[0].domain = ""
    asked.graph.input.extend(onnx.ValueInfoProto(name=name, type=type) for name, type in given.items())
    for name, array in constants.items():
        if array.size <= TELLING:
            asked.graph.initializer.append(
                onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            )
    return asked


def _proto(dtype: str, shape: Sequence[Size]) -> onnx.TypeProto:
    number = next(n for n in map(int, onnx.TensorProto.DataType.values()) if dtype_name(n) == dtype)
    type: onnx.TypeProto = onnx.helper.make_tensor_type_proto(number, shape)
    return type
