"""Probe `determinism`: whether the same model on the same numbers gives the same bits again. Told, not judged.

The whole model, optimised as the runtime likes, with its own weights on real-valued data, where the order of a sum shows:
run again, with one thread and with two, two images together and one by one, and not optimised at all. A runtime that
orders its sums otherwise for another number of threads is right, and yet not reproducible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from onnxconv.errors import UsageError
from onnxconv.graph import Graph
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify.case import Case, outputs_of
from onnxconv.verify.compare import all_same
from onnxconv.verify.draw import Stream, real
from onnxconv.verify.sizes import pinned
from onnxconv.verify.verdict import Capability, Finding, Verdict
from onnxconv.verify.words import Array

__all__ = ["determinism"]

Outputs = Mapping[str, Array]

AGAIN = 2
"""Runs after the first, in the same session."""
THREADS = (("threads", "1", "2"),)
OPTIMISATIONS = (("optimization", "off", "all"), ("optimize", "0", "3"))
"""(option, one value, other value), as runtimes call it."""


def determinism(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: what was equal bit for bit, what was not, and what could not be asked."""
    graph = pinned(case.graph, 2)
    inputs = {
        name: real("normal", tuple(map(int, type.shape)), type.dtype, Stream("determinism", case.seed, name))
        for name, type in graph.inputs
    }
    case.bench.load(case.graph, case.weights)
    first = outputs_of(case.bench, graph, inputs)
    parts: dict[str, Callable[[], Capability]] = {
        "repeat": lambda: _compared("repeat", [(first, outputs_of(case.bench, graph, inputs)) for _ in range(AGAIN)]),
        "batch": lambda: _batch(case, inputs, first),
        "threads": lambda: _options(case, graph, inputs, "threads", THREADS),
        "optimization": lambda: _options(case, graph, inputs, "optimization", OPTIMISATIONS),
    }
    told = []
    for done, (name, look) in enumerate(parts.items()):
        case.advance((1 + done) / (1 + len(parts)), f"determinism: {name}")
        told.append(look())
    yield _summary(case, first, tuple(told))


def _summary(case: Case, first: Outputs, told: tuple[Capability, ...]) -> Finding:
    elements = sum(one.elements for one in told)
    blind = [name for name, array in first.items() if array.size > 1 and all_same(array)]
    reason = f"one value throughout, or nothing finite, in {', '.join(blind)}" if blind else ""
    verdict = Verdict.UNTRUSTED if blind else Verdict.PASS
    return Finding(case.output, verdict, reason, elements=elements, note=_note(told), capabilities=told)


def _note(told: tuple[Capability, ...]) -> str:
    equal, absent = ([one.of for one in told if one.holds is holds] for holds in (True, None))
    said = [f"{', '.join(equal)} equal bit for bit"] if equal else []
    said += [f"{one.of} not, {one.says} ({one.deviating} of {one.elements})" for one in told if one.holds is False]
    return "; ".join([*said, f"{', '.join(absent)} not available"] if absent else said)


def _compared(of: str, pairs: list[tuple[Outputs, Outputs]]) -> Capability:
    """Whether the outputs of each pair are the same bits."""
    elements = deviating = 0
    farthest = largest = 0.0
    for left, right in pairs:
        for name, array in left.items():
            one, other = array.reshape(-1), right[name].reshape(-1)
            differs = (one.view(np.uint8) != other.view(np.uint8)).reshape(one.size, -1).any(axis=1)
            elements, deviating = elements + one.size, deviating + int(differs.sum())
            if differs.any():
                with np.errstate(all="ignore"):
                    off = np.abs(one[differs].astype(np.float64) - other[differs].astype(np.float64))
                farthest, largest = (
                    max(farthest, float(off.max())),
                    max(largest, float(np.abs(one.astype(float)).max())),
                )
    says = f"apart by up to {farthest:.3g}, of numbers up to {largest:.3g}" if deviating else ""
    return Capability(of, not deviating, says, elements, deviating)


def _batch(case: Case, inputs: Outputs, first: Outputs) -> Capability:
    """Two images together, and one by one."""
    types = case.graph.types()
    batches = {types[name].shape[:1] for name in (*inputs, *case.graph.outputs)}
    symbol = next(iter(batches))
    if len(batches) > 1 or not (symbol and isinstance(symbol[0], str)):
        return Capability("batch", None, "the number of images is fixed, or is not that of every output")
    single = pinned(case.graph, 1)
    if any((2, *type.shape[1:]) != inputs[name].shape or type.shape[0] != 1 for name, type in single.inputs):
        return Capability("batch", None, "other sizes depend on the number of images")
    halves = [
        outputs_of(case.bench, single, {name: np.ascontiguousarray(x[i : i + 1]) for name, x in inputs.items()})
        for i in range(2)
    ]
    joined = {name: np.concatenate([half[name] for half in halves]) for name in first}
    return _compared("batch", [(first, joined)])


def _options(case: Case, graph: Graph, inputs: Outputs, of: str, known: tuple[tuple[str, str, str], ...]) -> Capability:
    """The outputs with one and with the other value of an option that the runtime has."""
    lacking = ""
    for option, *values in known:
        try:
            outputs = []
            for value in values:
                with case.bench.another({option: value}) as bench:
                    bench.load(case.graph, case.weights)
                    outputs.append(outputs_of(bench, graph, inputs))
        except UsageError:
            lacking = lacking or f"the runtime has no option {option}"
        except (RuntimeFailed, RuntimeAbsent) as error:
            return Capability(of, None, f"{option}={value}: {error.reason}")
        else:
            return _compared(of, [(outputs[0], outputs[1])])
    return Capability(of, None, lacking)
