"""A runtime that computes a model node by node with onnxruntime, in this process, and may get one thing wrong.

A fault sees every node on its way: what it reads, its attributes, and how to compute it correctly. What it returns is
taken for the output. Without a fault the machine is as right as onnxruntime's single operators are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from onnxconv.emit import EmitOptions, to_fitting_bytes
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.weights import Weights

Arrays = dict[str, np.ndarray]
SUMS = ("Conv", "ConvTranspose", "Gemm")
WINDOWED = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


@dataclass(frozen=True)
class Step:
    """One node: `xs` are its inputs and weights, in ONNX's order.

    `tensors`: all that was computed so far. `before`: the node that made the first input, where nobody else reads it and
    it is no output, so that an optimiser may fuse the two. `past`: of each node its output of the last run.
    """

    name: str
    op: str
    attributes: Mapping[str, Any]
    xs: tuple[np.ndarray, ...]
    inputs: tuple[str, ...] = ()
    constants: frozenset[str] = frozenset()
    tensors: Arrays = field(default_factory=dict)
    before: Step | None = None
    past: Arrays = field(default_factory=dict)

    def given(self, *xs: np.ndarray, **attributes: Any) -> Step:
        """The same with these in place of its first inputs, and these attributes."""
        return replace(self, xs=(*xs, *self.xs[len(xs) :]), attributes={**self.attributes, **attributes})

    @property
    def rank(self) -> int:
        return self.xs[0].ndim - 2

    def __getattr__(self, name: str) -> list[int]:
        """A list per axis: pads, strides, dilations, kernel_shape."""
        if name not in ("pads", "strides", "dilations", "kernel_shape", "output_padding"):
            raise AttributeError(name)
        fill = 1 if name in ("strides", "dilations") else 0
        if name == "kernel_shape" and "kernel_shape" not in self.attributes:
            return list(self.xs[1].shape[2:])
        return list(self.attributes.get(name, [fill] * (self.rank * (2 if name == "pads" else 1))))


Fault = Callable[[Step], np.ndarray]


@lru_cache(4096)
def _session(op: str, attributes: tuple[tuple[str, Any], ...], opset: int, types: tuple[Any, ...], outs: int) -> Any:
    names = [f"x{i}" if t is not None else "" for i, t in enumerate(types)]
    ys = [f"y{i}" for i in range(outs)]
    node = helper.make_node(op, names, ys, **{k: list(v) if isinstance(v, tuple) else v for k, v in attributes})
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(t[0])), [None] * t[1])
        for name, t in zip(names, types, strict=True)
        if t is not None
    ]
    outputs = [onnx.ValueInfoProto(name=y) for y in ys]
    graph = helper.make_graph([node], "one", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def correct(step: Step, opset: int = 17) -> np.ndarray:
    """The node's output by onnxruntime."""
    attributes = tuple(sorted((k, tuple(v) if isinstance(v, (list, tuple)) else v) for k, v in step.attributes.items()))
    types = tuple(None if x is None else (x.dtype.str, x.ndim) for x in step.xs)
    session = _session(step.op, attributes, opset, types, 1)
    feeds = {f"x{i}": np.ascontiguousarray(x) for i, x in enumerate(step.xs) if x is not None}
    (y,) = session.run(None, feeds)
    return y


class Machine:
    """What probes need of a `Bench`."""

    def __init__(self, fault: Fault = correct) -> None:
        self.fault = fault
        self.past: Arrays = {}

    def another(self, options: Mapping[str, str]) -> Machine:
        raise UsageError(Diagnostic(Where(), "unknown-option", f"a machine has no option {next(iter(options))}"))

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        self.open(onnx.load_from_string(to_fitting_bytes(graph, weights, EmitOptions(every_tensor=every_tensor))))

    def open(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.opset = model.opset_import[0].version
        self.constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.nodes = [(n, {a.name: _text(helper.get_attribute_value(a)) for a in n.attribute}) for n in graph.node]
        self.outputs = [o.name for o in graph.output]
        read = [name for n in graph.node for name in n.input]
        self.hidden = {name for name in read if read.count(name) == 1 and name not in self.outputs}
        self.past = {}

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        tensors: Arrays = {**self.constants, **inputs}
        made: dict[str, Step] = {}
        constants = frozenset(self.constants)
        for node, attributes in self.nodes:
            assert len(node.output) == 1, node.op_type
            if node.op_type == "Constant":
                tensors[node.output[0]] = numpy_helper.to_array(attributes["value"])
                continue
            xs = tuple(tensors[name] if name else None for name in node.input)
            before = made.get(node.input[0]) if node.input[0] in self.hidden else None
            step = Step(
                node.name, node.op_type, attributes, xs, tuple(node.input), constants, tensors, before, self.past
            )
            with np.errstate(all="ignore"):
                y = self.fault(step)
            tensors[node.output[0]] = made_now = np.ascontiguousarray(y)
            self.past[node.name] = made_now
            made[node.output[0]] = step
        return {name: tensors[name] for name in self.outputs}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
