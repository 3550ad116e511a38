"""Arrays written as a .safetensors file, streamed: memory does not grow with them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import BinaryIO

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Param
from onnxconv.weights import Weights

__all__ = ["write_safetensors"]

_CALLED = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{'U' if sign else 'I'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_ALIGNMENT = 8
"""Bytes that the header is padded to, so that arrays can be mapped."""


def write_safetensors(arrays: Iterable[tuple[str, Param, bool]], weights: Weights, stream: BinaryIO) -> None:
    """Write the array of each parameter under a name, in this order; of those that are true a matrix, its axes exchanged.

    The format: 8 bytes of header length, a header in JSON with the place of each array, the arrays, all little-endian.
    """
    listed, header, end = tuple(arrays), dict[str, object](), 0
    for name, param, turned in listed:
        start, end = end, end + math.prod(param.shape) * DTYPES[param.dtype].bytes
        shape = list(param.shape[::-1] if turned else param.shape)
        header[name] = {"dtype": _CALLED[param.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little") + text)
    for _, param, turned in listed:
        for chunk in weights.turned(param) if turned else weights.chunks(param):
            stream.write(chunk)
