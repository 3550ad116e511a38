"""A plan made ready to run, as often as one likes."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from onnxconv.dtypes import numpy_dtype, rounded
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.execute.fast.block import Block, triple
from onnxconv.execute.fast.memory import ALIGNMENT
from onnxconv.execute.fast.plan import Plan
from onnxconv.execute.fast.steps import Step
from onnxconv.execute.inputs import check_inputs
from onnxconv.execute.parts import one_blas_thread
from onnxconv.geometry import Array
from onnxconv.ops import shape_text

__all__ = ["Program"]


class Program:
    """A plan with its memory and its threads; each of them takes blocks, none of which depends on how many there are."""

    def __init__(self, plan: Plan, threads: int = 0) -> None:
        self.plan = plan
        self.threads = threads or (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._arena = _aligned(plan.arena_bytes)
        most = max((step.scratch_bytes(plan.dtypes) for step in plan.steps), default=0)
        self._others = tuple(_aligned(most) for _ in range(self.threads - 1))
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        self._running = threading.Lock()

    def run(self, inputs: Mapping[str, Array], done: Callable[[Step], None] | None = None) -> dict[str, Array]:
        """The outputs by tensor name, in arrays of their own; `done` hears of each step after it.

        Raises `UsageError` for inputs that are not those planned for.
        """
        check_inputs(self.plan.graph, inputs)
        for name, array in inputs.items():
            if array.shape != self.plan.shapes[name]:
                what = f"input {name!r} has shape {shape_text(array.shape)}"
                why = f"it is {shape_text(self.plan.shapes[name])} that is planned for"
                raise UsageError(Diagnostic(Where(), "input-shape", what, why, "make a plan for that shape"))
        with self._running, one_blas_thread():
            arrays = self._arrays(inputs)
            for step, at in zip(self.plan.steps, self.plan.scratch, strict=True):
                self._do(step, arrays, at)
                if done is not None:
                    done(step)
            return {name: self._handed_out(name, arrays) for name in self.plan.outputs}

    def _arrays(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every tensor as an array in its own shape, over the memory of its home."""
        plan, roots = self.plan, dict[str, Array]()
        for name, shape in plan.shapes.items():
            dtype = numpy_dtype(plan.dtypes[name])
            if name in inputs:
                roots[name] = np.ascontiguousarray(inputs[name]).reshape(-1)
            elif name in plan.constants:
                roots[name] = plan.constants[name].reshape(-1)
            elif name in plan.fresh:
                roots[name] = np.empty(math.prod(shape), dtype)
            elif name in plan.offsets:
                at = plan.offsets[name]
                roots[name] = self._arena[at : at + math.prod(shape) * dtype.itemsize].view(dtype)
        found = {}
        for name, home in plan.homes.items():
            if home.root in roots:
                size = math.prod(plan.shapes[name])
                found[name] = roots[home.root][home.offset : home.offset + size].reshape(plan.shapes[name])
        return found

    def _handed_out(self, name: str, arrays: Mapping[str, Array]) -> Array:
        return arrays[name] if name in self.plan.fresh else arrays[name].copy()

    def _do(self, step: Step, arrays: Mapping[str, Array], at: int) -> None:
        """One step, with scratch memory `at` its place. What is stored in a narrower type than it is computed in is converted as a whole, and rounded once."""
        out, stored = arrays[step.output], self.plan.dtypes[step.output]

        def read(name: str) -> Array:
            x = arrays[name]  # bytes are converted block by block
            return x if step.dtype is None or x.dtype.kind in "iu" else x.astype(step.dtype, copy=False)

        y = out if step.dtype in (None, stored) else np.empty(out.shape, step.dtype)
        xs = [read(name) for name in step.reads]
        stages = [stage.bound(read) for stage in step.stages]
        self._blocks(step, xs, y.reshape(triple(y.shape)), stages, at)
        if y is not out:
            out[...] = rounded(y, stored)

    def _blocks(
        self, step: Step, xs: Sequence[Array], y: Array, stages: Sequence[Callable[[Block, Array], None]], at: int
    ) -> None:
        left: Iterator[Block] = iter(step.kernel.blocks)

        def work(number: int) -> None:
            room = self._others[number - 1] if number else self._arena[at:]
            scratch = room[: step.kernel.scratch * y.itemsize].view(y.dtype)
            with np.errstate(all="ignore"):
                for block in left:
                    step.kernel.fill(block, xs, y, scratch)
                    out = block.of(y)
                    for stage in stages:
                        stage(block, out)

        others = min(self.threads, len(step.kernel.blocks)) - 1
        pending = [self._pool.submit(work, number + 1) for number in range(others)] if self._pool else []
        work(0)
        for future in pending:
            future.result()


def _aligned(size: int) -> Array:
    """So many bytes, from the start of a cache line on."""
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]
