"""A graph and its weights as an ONNX model: in memory, or as files that appear whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from onnxconv.dtypes import DTYPES, numpy_dtype
from onnxconv.emit.ahead import write
from onnxconv.emit.model import TensorOf, build, data_type
from onnxconv.emit.wire import framed, length
from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.files import whole_files
from onnxconv.graph import Graph, Param
from onnxconv.weights import Weights

__all__ = ["EXTERNAL_DATA", "WEIGHTS_AS", "EmitOptions", "fitting", "save", "to_bytes", "to_fitting_bytes"]

WEIGHTS_AS = ("constants", "inputs")
EXTERNAL_DATA = ("auto", "always", "never")

OLDEST_OPSET = 13
LATER = (22, 10)
"""Opset and IR version for what the default opset cannot express; bfloat16 convolutions are the newest of it."""
OLDEST_IR = 4
"""Since IR version 4 a weight need not be an input of the model too."""

INLINE_LIMIT = 1 << 30
"""Bytes of weights above which ``auto`` stores them beside the model."""
PROTOBUF_LIMIT = 2**31 - 1
"""Bytes; no protobuf message is longer."""
ALIGNMENT = 4096
"""Bytes; external tensors begin at multiples of a memory page, so that they can be mapped."""


@dataclass(frozen=True, slots=True)
class EmitOptions:
    """How a model is written. `every_tensor` makes the output of every layer an output of the model."""

    opset: int = 17
    ir_version: int = 8
    weights_as: str = "constants"
    external_data: str = "auto"
    every_tensor: bool = False


DEFAULT = EmitOptions()


def fitting(graph: Graph, options: EmitOptions = DEFAULT) -> EmitOptions:
    """The options, with a later opset where theirs cannot express an operator or a data type."""
    try:
        build(graph, lambda _: None, opset=options.opset, ir_version=options.ir_version, every_tensor=False)
    except UsageError as error:
        return _later(options, error)
    return options


def _later(options: EmitOptions, error: UsageError) -> EmitOptions:
    """The options with a later opset, if theirs is all that is wrong. Raises the error."""
    if all(found.code == "opset" for found in error.diagnostics):
        return replace(options, opset=LATER[0], ir_version=LATER[1])
    raise error


def to_fitting_bytes(graph: Graph, weights: Weights, options: EmitOptions = DEFAULT) -> bytes:
    """As `to_bytes`, with the options that are `fitting`; the model is made once where they are those given."""
    try:
        return to_bytes(graph, weights, options)
    except UsageError as error:
        return to_bytes(graph, weights, _later(options, error))


def to_bytes(graph: Graph, weights: Weights, options: EmitOptions = DEFAULT) -> bytes:
    """The model as one piece of bytes, equal for equal graphs and weights.

    Raises `UsageError` for options out of range, for weights that do not fit into one piece, and where the opset cannot
    express an operator.
    """
    _check(options)
    if options.external_data == "always":
        raise _usage(
            "external-data", "a model in memory has no file beside it", "", "use 'auto' or 'never', or save it"
        )
    return b"".join(_inline(graph, weights, options))


def save(graph: Graph, weights: Weights, path: str | Path, options: EmitOptions = DEFAULT) -> None:
    """Write the model to `path`, and its weights to `path` + ``.data`` where they are external.

    External weights are streamed: memory does not grow with them. Raises as `to_bytes`, and where `path` cannot be written.
    """
    _check(options)
    path = Path(path)
    if not _external(graph, options):
        inline = _inline(graph, weights, options)
        with whole_files(path) as (stream,), closing(inline) as pieces:
            write(pieces, stream)
        return
    data = path.with_name(path.name + ".data")
    places = _places(graph)
    model = _proto(graph, options, lambda param: _external_tensor(param, places[param.name], data.name))
    arrays = weights.stream(_data(graph, places))
    with whole_files(data, path) as (data_stream, stream), closing(arrays) as pieces:
        write(pieces, data_stream)
        stream.write(model.SerializeToString(deterministic=True))


def _check(options: EmitOptions) -> None:
    newest = onnx.defs.onnx_opset_version()
    ranges = (
        ("opset", options.opset, OLDEST_OPSET, newest),
        ("ir-version", options.ir_version, OLDEST_IR, onnx.IR_VERSION),
    )
    for code, value, low, high in ranges:
        if not low <= value <= high:
            nearest = min(max(value, low), high)
            why = f"the installed onnx {onnx.__version__} knows {low} to {high} of those that onnxconv writes"
            raise _usage(code, f"{code} {value} cannot be written", why, f"use {nearest}")
    for code, word, known in (
        ("weights-as", options.weights_as, WEIGHTS_AS),
        ("external-data", options.external_data, EXTERNAL_DATA),
    ):
        if word not in known:
            raise _usage(code, f"{code} is {word!r}", f"it is one of {', '.join(known)}", closest(word, known))


def _usage(code: str, what: str, why: str = "", fix: str = "") -> UsageError:
    return UsageError(Diagnostic(Where(), code, what, why, fix))


def _external(graph: Graph, options: EmitOptions) -> bool:
    if options.weights_as == "inputs" or options.external_data == "never":
        return False
    return options.external_data == "always" or sum(map(_bytes, graph.params())) > INLINE_LIMIT


def _bytes(param: Param) -> int:
    return math.prod(param.shape) * DTYPES[param.dtype].bytes


def _inline(graph: Graph, weights: Weights, options: EmitOptions) -> Generator[bytes | memoryview, None, None]:
    """The bytes of the model, in pieces; the arrays are made as they come. Raises `UsageError` before the first of them."""
    asked = options.weights_as == "inputs"
    model = _proto(graph, options, lambda param: None if asked else _empty_tensor(param))
    params = {} if asked else {param.name: param for param in graph.params()}
    sizes = {name: _bytes(param) for name, param in params.items()}
    pieces = framed(model, sizes)
    total = length(pieces, sizes)
    if total > PROTOBUF_LIMIT:
        what = f"a model of {total} bytes, {sum(sizes.values())} of them weights, does not fit into one piece"
        why = f"a protobuf message ends at {PROTOBUF_LIMIT} bytes"
        raise _usage("too-large", what, why, "use external data: 'auto'")
    return weights.stream(params[piece] if isinstance(piece, str) else piece for piece in pieces)


def _proto(graph: Graph, options: EmitOptions, tensor_of: TensorOf) -> onnx.ModelProto:
    model = build(
        graph, tensor_of, opset=options.opset, ir_version=options.ir_version, every_tensor=options.every_tensor
    )
    return ir.to_proto(model)


def _empty_tensor(param: Param) -> ir.TensorProtocol:
    """A tensor of the parameter's type and shape, without its content."""
    empty = ir.Tensor(np.empty(0, numpy_dtype(param.dtype)))
    return ir.LazyTensor(lambda: empty, data_type(param.dtype), ir.Shape(param.shape), name=param.name)


def _places(graph: Graph) -> dict[str, int]:
    """Byte at which each parameter begins in the file of external data."""
    places: dict[str, int] = {}
    end = 0
    for param in graph.params():
        places[param.name] = start = -(-end // ALIGNMENT) * ALIGNMENT
        end = start + _bytes(param)
    return places


def _external_tensor(param: Param, offset: int, location: str) -> ir.TensorProtocol:
    return ir.ExternalTensor(
        location, offset, _bytes(param), data_type(param.dtype), shape=ir.Shape(param.shape), name=param.name
    )


def _data(graph: Graph, places: dict[str, int]) -> Iterator[Param | bytes]:
    """The file of external data, in pieces."""
    end = 0
    for param in graph.params():
        yield bytes(places[param.name] - end)
        yield param
        end = places[param.name] + _bytes(param)
