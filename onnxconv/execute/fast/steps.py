"""Steps of a run: the kernel of a layer, and the elementwise ones after it as stages."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from onnxconv.dtypes import numpy_dtype
from onnxconv.execute.definition import Arrays
from onnxconv.execute.fast import aside
from onnxconv.execute.fast.block import Block, Call, Kernel, Triple, triple
from onnxconv.execute.fast.chains import Chain, carries, seen, staged
from onnxconv.execute.fast.concat import concat_kernel
from onnxconv.execute.fast.conv import ConvKernel, in_two
from onnxconv.execute.fast.homes import Home, in_place
from onnxconv.execute.fast.integer import integer_kernel
from onnxconv.execute.fast.kernels import defined_kernel, kernel_of
from onnxconv.execute.fast.pointwise import Elements, Function, stage
from onnxconv.execute.fold import folded
from onnxconv.geometry import Array
from onnxconv.graph import Node
from onnxconv.ops import BatchNorm, Concat, Conv, DequantizedConv, DequantizedGemm, Operator

__all__ = ["Operand", "Stage", "Step", "computed", "make_steps"]


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that a stage reads, seen as [N, C, S] with size 1 where it is broadcast."""

    name: str
    shape: Triple


@dataclass(frozen=True, slots=True)
class Stage:
    """An elementwise operator applied to a block. Its values: operands, constants [1, C, 1], and None, the block itself."""

    function: Function
    values: tuple[Operand | Array | None, ...]

    def bound(self, read: Mapping[str, Array]) -> aside.Applied:
        """The stage with its operands at hand."""
        values = [read[v.name].reshape(v.shape) if isinstance(v, Operand) else v for v in self.values]

        def of(block: Block, out: Array) -> Call:
            return partial(self.function, out, *(out if value is None else block.of(value) for value in values))

        return of


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel and the stages after it, for the layers `nodes`; `dtype`: what it computes in, None: the tensors' own types.

    `aside`, if not 0: blocks are made in so many elements of scratch memory, and copied when they are done.
    """

    nodes: tuple[str, ...]
    kernel: Kernel
    reads: tuple[str, ...]
    stages: tuple[Stage, ...]
    output: str
    dtype: str | None
    aside: int = 0

    @property
    def operands(self) -> tuple[str, ...]:
        """All tensors that it reads."""
        return (*self.reads, *(v.name for stage in self.stages for v in stage.values if isinstance(v, Operand)))

    def scratch_bytes(self, dtypes: Mapping[str, str]) -> int:
        """What a thread needs beside the tensors."""
        return (self.aside + self.kernel.scratch) * numpy_dtype(self.dtype or dtypes[self.output]).itemsize


def make_steps(
    chain: Chain,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str],
    at: Mapping[str, Home],
    weights: Arrays,
    constants: Mapping[str, Array],
) -> Iterator[Step]:
    """The step of a chain, or two where what it reads is gathered in one of its own."""
    head, y = chain.head, shapes[chain.output]
    names = tuple(node.name for node in (head, *chain.tail))
    if isinstance(head.op, Concat):
        parts = [shapes[name] for name in head.inputs]
        kernel: Kernel = concat_kernel(head.op.axis, parts, y, in_place(head, at, shapes))
    elif (integers := integer_kernel(head, shapes, dtypes, constants)) is not None:
        kernel = integers
    elif not carries(head, shapes, dtypes):
        w = {role: weights[param] for role, param in head.params}
        kernel = defined_kernel(head, y, w, [dtypes[name] for name in head.inputs])
    else:
        dtype = "float64" if head.type.dtype == "float64" else "float32"
        kernel, stages = computed(chain, shapes, dtype, weights)
        reads = () if isinstance(kernel, Elements) else head.inputs
        if isinstance(kernel, ConvKernel) and (two := in_two(kernel, shapes[head.inputs[0]][1])) is not None:
            columns, reads = reads, (_unused(f"{chain.output} columns", shapes),)
            yield Step((), two[0], columns, (), *reads, dtype)
            kernel = two[1]
        narrow = dtype != dtypes[chain.output]
        room = aside.largest(kernel) if narrow else aside.needed(kernel, stages, triple(y))
        yield Step(names, kernel, reads, stages, chain.output, dtype, room)
        return
    yield Step(names, kernel, head.inputs, (), chain.output, None)


def _unused(name: str, names: Container[str]) -> str:
    while name in names:
        name += "'"
    return name


def computed(
    chain: Chain, shapes: Mapping[str, tuple[int, ...]], dtype: str, weights: Arrays
) -> tuple[Kernel, tuple[Stage, ...]]:
    """The kernel and the stages of a chain. A batch norm right after a convolution is multiplied into its weights, which are rounded once."""
    head, tail, before = chain.head, chain.tail, chain.head.output
    if staged(head, shapes):
        return Elements.of(triple(shapes[chain.output])), tuple(_stages((head, *tail), None, shapes, dtype, weights))
    op, w = _layer(head, weights, dtype)
    if isinstance(op, Conv) and tail and isinstance(tail[0].op, BatchNorm):
        exact = folded(op, w, tail[0].op, _weights(tail[0], weights, "float64"))
        op, w = replace(op, bias=True), {role: a.astype(dtype) for role, a in exact.items()}
        before, tail = tail[0].output, tail[1:]
    kernel = kernel_of(op, [shapes[name] for name in head.inputs], w, dtype)
    return kernel, tuple(_stages(tail, before, shapes, dtype, weights))


def _layer(node: Node, weights: Arrays, dtype: str) -> tuple[Operator, dict[str, Array]]:
    """A node's operator and its weights, as floats where they are stored as integers."""
    if isinstance(node.op, DequantizedConv | DequantizedGemm):
        floats = node.op.floats({role: np.asarray(weights[param]) for role, param in node.params})
        return node.op.of, {role: a.astype(dtype) for role, a in floats.items()}
    return node.op, _weights(node, weights, dtype)


def _weights(node: Node, weights: Arrays, dtype: str) -> dict[str, Array]:
    return {role: np.asarray(weights[param]).astype(dtype, copy=False) for role, param in node.params}


def _stages(
    nodes: Sequence[Node],
    before: str | None,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str,
    weights: Arrays,
) -> Iterator[Stage]:
    """The stages of nodes one after the other, the first of which reads the block made `before` it, if one is."""
    for node in nodes:
        function, constants = stage(node.op, _weights(node, weights, dtype), np.dtype(dtype))
        values: list[Operand | Array | None] = []
        for place, name in enumerate(node.inputs):
            shape = seen(node, place, shapes)
            assert shape is not None, "a stage's operands are broadcast as a whole"
            values.append(None if name == before else Operand(name, shape))
        yield Stage(function, (*values, *constants))
        before = node.output
