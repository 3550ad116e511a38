"""A plan made ready to run, as often as one likes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from onnxconv.dtypes import numpy_dtype
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.execute.fast.aside import calls_of
from onnxconv.execute.fast.bands import BandKernel
from onnxconv.execute.fast.block import Block, Call, triple
from onnxconv.execute.fast.crew import crew_of
from onnxconv.execute.fast.plan import Plan
from onnxconv.execute.fast.steps import Step
from onnxconv.execute.inputs import check_inputs
from onnxconv.execute.parts import PROCESSORS_AT_MOST, one_blas_thread
from onnxconv.geometry import Array
from onnxconv.ops import shape_text
from onnxconv.weights.ordered import processors

__all__ = ["Program"]


KEPT = 128
"""Blocks of a step up to which their calls are kept: of more, it is memory that matters."""

BUFFER = 2048
"""Elements of an array that is not one piece of memory which NumPy copies to compute on them; four times as many are slower."""


@contextmanager
def _settings() -> Iterator[None]:
    """NumPy's for computing: overflow and the like are no news, and buffers stay in the cache."""
    with np.errstate(all="ignore"):
        before = np.setbufsize(BUFFER)
        try:
            yield
        finally:
            np.setbufsize(before)


class Program:
    """A plan with its memory and its crew, of whom each takes blocks, none of which depends on how many they are."""

    def __init__(self, plan: Plan, threads: int = 0, *, processes: bool = False) -> None:
        """`threads`: how many compute at a time, 0: as many as there are processors, up to `PROCESSORS_AT_MOST`; `processes`: as processes, where they can."""
        self.plan = plan
        self.threads = threads or processors(PROCESSORS_AT_MOST)
        needed = max((len(step.kernel.blocks) for step in plan.steps), default=1)
        self._crew = crew_of(min(self.threads, needed), len(plan.steps), processes=processes)
        self._arena = self._crew.memory(plan.arena_bytes)
        most = max((step.scratch_bytes(plan.dtypes) for step in plan.steps), default=0)
        self._others = tuple(self._crew.memory(most) for _ in range(self._crew.count - 1))
        outside = (*(name for name, _ in plan.graph.inputs), *plan.fresh)
        self._outside = {name: self._made(name) for name in outside} if self._crew.apart else {}
        self._arrays = self._in({**plan.constants, **self._outside, **dict(self._from_arena())})
        self._lasting = tuple(self._lasts(step) for step in plan.steps)
        self._kept: dict[tuple[int, int, int], tuple[Call, ...]] = {}
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
            for name in inputs.keys() & self._outside.keys():
                self._outside[name][...] = inputs[name]
            arrays = self._arrays
            if not self._crew.apart:
                arrays = arrays | self._in({**inputs, **{name: self._made(name) for name in self.plan.fresh}})
            self._crew.run(lambda number: self._steps(number, arrays, done))
            return {name: self._handed_out(name, arrays) for name in self.plan.outputs}

    def _made(self, name: str) -> Array:
        shape, dtype = self.plan.shapes[name], numpy_dtype(self.plan.dtypes[name])
        memory = self._crew.memory(math.prod(shape) * dtype.itemsize)
        return memory.view(dtype).reshape(shape)

    def _from_arena(self) -> Iterator[tuple[str, Array]]:
        for name, at in self.plan.offsets.items():
            dtype = numpy_dtype(self.plan.dtypes[name])
            yield name, self._arena[at : at + math.prod(self.plan.shapes[name]) * dtype.itemsize].view(dtype)

    def _in(self, memory: Mapping[str, Array]) -> dict[str, Array]:
        """Every tensor that has its home in one of these, as an array in its own shape."""
        plan, flat = self.plan, {name: np.ascontiguousarray(array).reshape(-1) for name, array in memory.items()}
        return {
            name: flat[home.root][home.offset : home.offset + math.prod(plan.shapes[name])].reshape(plan.shapes[name])
            for name, home in plan.homes.items()
            if home.root in flat
        }

    def _lasts(self, step: Step) -> bool:
        """Whether the calls of a step are kept: there are not too many, and they are of the same memory in every run."""
        if len(step.kernel.blocks) > KEPT or isinstance(step.kernel, BandKernel):
            return False
        known = all(name in self._arrays for name in (*step.operands, step.output))
        return known and not any(_converted(self._arrays[name], step) for name in step.operands)

    def _handed_out(self, name: str, arrays: Mapping[str, Array]) -> Array:
        mine = name in self.plan.fresh and not self._crew.apart
        return arrays[name] if mine else arrays[name].copy()

    def _steps(self, number: int, arrays: Mapping[str, Array], done: Callable[[Step], None] | None) -> None:
        """What one of the crew does of all the steps."""
        with _settings():
            for place, step in enumerate(self.plan.steps):
                if number < len(step.kernel.blocks):
                    self._do(place, number, arrays)
                self._crew.meet(number)
                if done is not None and number == 0:
                    done(step)

    def _do(self, place: int, number: int, arrays: Mapping[str, Array]) -> None:
        """Those blocks of a step that are left. What they call is kept for later runs, if it is the same then."""
        blocks = self.plan.steps[place].kernel.blocks
        calls_for: Callable[[Block], Iterator[Call]] | None = None
        for which in self._crew.left(place, len(blocks)):
            calls: Iterable[Call] | None = self._kept.get((number, place, which))
            if calls is None:
                calls_for = calls_for or self._calls(place, number, arrays)
                calls = calls_for(blocks[which])
                if self._lasting[place]:
                    calls = self._kept[number, place, which] = tuple(calls)
            for call in calls:
                call()

    def _calls(self, place: int, number: int, arrays: Mapping[str, Array]) -> Callable[[Block], Iterator[Call]]:
        """What one of the crew calls for a block of a step."""
        step = self.plan.steps[place]
        out = arrays[step.output]
        y = out.reshape(triple(out.shape))
        seen = {name: arrays[name] for name in step.operands}
        read = {name: x.astype(step.dtype) if _converted(x, step) else x for name, x in seen.items()}
        xs = [read[name] for name in step.reads]
        stages = [stage.bound(read) for stage in step.stages]
        room = self._others[number - 1] if number else self._arena[self.plan.scratch[place] :]
        scratch = room[: step.scratch_bytes(self.plan.dtypes)].view(step.dtype or y.dtype)
        return lambda block: calls_of(step.kernel, stages, block, xs, y, scratch, step.aside)


def _converted(x: Array, step: Step) -> bool:
    """Whether a step computes in another type than a tensor's; bytes it converts block by block."""
    return step.dtype not in (None, x.dtype.name) and x.dtype.kind not in "iu"
