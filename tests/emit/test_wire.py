"""Models that are written in pieces have the bytes that protobuf itself would write."""

from __future__ import annotations

import onnx
import pytest
from onnx.helper import make_graph, make_model, make_node, make_tensor_value_info

from onnxconv.emit.wire import framed, length

LENGTHS = (0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21)
"""Where the length of a length changes."""


def tensor(name: str, size: int, content: bytes | None = None) -> onnx.TensorProto:
    made = onnx.TensorProto(name=name, dims=[size], data_type=onnx.TensorProto.UINT8, doc_string=f"about {name}")
    if content is not None:
        made.raw_data = content
    return made


def model(*tensors: onnx.TensorProto) -> onnx.ModelProto:
    ends = [make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"]) for name in "xy"]
    graph = make_graph([make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:], tensors, doc_string="a graph")
    made = make_model(graph, producer_name="p", doc_string="a model")
    onnx.helper.set_model_props(made, {"key": "value"})
    return made


@pytest.mark.parametrize("sizes", [(), LENGTHS, *((size,) for size in LENGTHS)], ids=str)
def test_pieces_are_what_protobuf_writes(sizes: tuple[int, ...]) -> None:
    arrays = {f"w{at}": bytes([at + 1]) * size for at, size in enumerate(sizes)}
    whole = [tensor("kept", 3, b"abc"), *(tensor(name, len(array), array) for name, array in arrays.items())]
    empty = [tensor("kept", 3, b"abc"), *(tensor(name, len(array), b"") for name, array in arrays.items())]
    held = {name: len(array) for name, array in arrays.items()}
    pieces = framed(model(*empty), held)
    written = b"".join(arrays[piece] if isinstance(piece, str) else piece for piece in pieces)
    assert written == model(*whole).SerializeToString(deterministic=True)
    assert length(pieces, held) == len(written)
    assert onnx.load_from_string(written) == model(*whole)
