"""onnx's shape inference for one node, in a process of its own: on malformed nodes onnx 1.23 ends its process.

Run as a program, this file answers requests on its standard input: frames of 4 bytes of length and a `ModelProto` each,
one node with the types of its inputs; in return a `GraphProto` with the types of its outputs. It imports nothing of the
package, to start fast.
"""

from __future__ import annotations

import contextlib
import queue
import struct
import subprocess
import sys
import threading
from types import TracebackType
from typing import IO, Self

import onnx

__all__ = ["Inference"]

SECONDS = 20.0
"""For one answer, the start of the process included."""
MEMORY = 4 << 30
"""Bytes of address space."""
STARTS = 5
"""Processes that may end amid an answer before onnx is asked no more."""


class Inference:
    """Asks a process, started at the first question. A context manager, which ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[bytes | None] = queue.Queue()
        self._starts = 0

    def types(self, question: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
        """The types of the outputs of the node; empty where onnx finds none, or does not survive the question."""
        if self._process is None and self._starts >= STARTS:
            return {}
        try:
            process, answers = self._started()
            assert process.stdin is not None, "it is a pipe"
            _write(process.stdin, question.SerializeToString())
            answer = answers.get(timeout=SECONDS)
        except (OSError, ValueError, queue.Empty):
            answer = None
        if answer is None:
            self._end()
            return {}
        return {value.name: value.type for value in onnx.GraphProto.FromString(answer).output}

    def _started(self) -> tuple[subprocess.Popen[bytes], queue.Queue[bytes | None]]:
        if self._process is None:
            self._starts += 1
            self._answers = queue.Queue()
            command = [sys.executable, "-P", __file__]  # this folder's names are not to hide the standard library's
            silent = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=silent)
            threading.Thread(target=_listen, args=(self._process.stdout, self._answers), daemon=True).start()
        return self._process, self._answers

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):  # what it did not read any more
                    assert stream is not None, "it is a pipe"
                    stream.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


def _listen(stream: IO[bytes], answers: queue.Queue[bytes | None]) -> None:
    """Pass on what the process answers; None at its end."""
    with contextlib.suppress(OSError, ValueError):  # closed meanwhile
        while (answer := _read(stream)) is not None:
            answers.put(answer)
    answers.put(None)


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(struct.pack("<I", len(content)) + content)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("<I", head)
    content = stream.read(length)
    return content if len(content) == length else None


def _answer(question: onnx.ModelProto) -> onnx.GraphProto:
    node = question.graph.node[0]
    opsets = {o.domain: o.version for o in question.opset_import}
    schema = onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 0), node.domain)
    found = onnx.shape_inference.infer_node_outputs(
        schema,
        node,
        {value.name: value.type for value in question.graph.input},
        {tensor.name: tensor for tensor in question.graph.initializer},
        opset_imports=list(question.opset_import),
    )
    return onnx.GraphProto(output=[onnx.ValueInfoProto(name=name, type=type) for name, type in found.items()])


def _serve() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # where there are no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while (content := _read(sys.stdin.buffer)) is not None:
        try:
            answer = _answer(onnx.ModelProto.FromString(content))
        except Exception:  # whatever onnx says: it does not know
            answer = onnx.GraphProto()
        _write(sys.stdout.buffer, answer.SerializeToString())


if __name__ == "__main__":
    _serve()
