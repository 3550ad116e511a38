"""What is measured, one record at a time: a JSON object a line, appended to a file, so that nothing is lost with the process.

Records have a `kind`: ``check`` (a probe on a family), ``trace`` (how a family is computed), ``allowed`` (a probe with that arithmetic
allowed), ``network`` (a check on a whole
network), ``time`` and ``failure`` (of the measurement itself).
"""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from cases import families, spec

import onnxconv
from onnxconv.errors import OnnxconvError
from onnxconv.execute import apply
from onnxconv.graph import Node, TensorType
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify import PROBES, Check, Finding, Verdict, findings
from onnxconv.verify.arithmetic import ARITHMETICS, DIRECT, NONE, Layer, fitting
from onnxconv.verify.case import Bench, Case, outputs_of
from onnxconv.verify.draw import Stream, real
from onnxconv.verify.fingerprint import fingerprint
from onnxconv.verify.rounding import gamma
from onnxconv.verify.sizes import concrete, pinned
from onnxconv.verify.words import PRODUCTS

KEPT = ("verdict", "reason", "mismatches", "elements", "max_error", "bound_used", "arithmetic", "unplaced", "placement")
"""What is kept of a check's document, where it says anything."""

KINDS = ("normal", "heavy", "ramp")
"""Data on which it is seen which bounds hold."""

Record = dict[str, Any]


APART = "determinism"
"""A probe that starts four workers more: it is asked of the defaults alone."""


def probe_families(setting: str, dtype: str, until: float, timeout: float, path: Path, again: bool = False) -> None:
    """Every probe but `APART`, or that one (`again`), on every family that there is time for, with one worker of the runtime."""
    label = {"setting": setting, "dtype": dtype}
    with path.open("a", encoding="utf-8") as file:
        try:
            with Bench(setting, timeout, {}) as bench:
                for family in families(dtype):
                    for record in _guarded(lambda name=family: _family(bench, name, dtype, until, again)):
                        _write(file, {**label, "family": family, **record})
        except (RuntimeAbsent, RuntimeFailed) as error:
            _write(file, {"kind": "failure", **label, "reason": str(error)})


def _family(bench: Bench, family: str, dtype: str, until: float, again: bool) -> Iterator[Record]:
    network = onnxconv.read(onnxconv.parse(spec(family, dtype)))
    case = Case(network.graph, network.weights, bench)
    for probe, asked in PROBES.items():
        if time.time() > until:
            return
        if (probe == APART) != again or not asked.applies(network.graph, DIRECT):
            continue
        bench.forget()
        began = time.time()
        for finding in findings(probe, case):
            yield {"kind": "check", "probe": probe, **_kept(bench, finding), "seconds": round(time.time() - began, 2)}
            if probe == "shape" and finding.verdict is Verdict.NOT_RUN:
                return
    for node in network.graph.nodes:
        if not again and node.op.kind in PRODUCTS and len(node.inputs) == 1 and time.time() < until:
            trace = _trace(case, node)
            yield {"kind": "trace", **trace}
            yield from _asked(case, trace.get("arithmetic", DIRECT))


def _asked(case: Case, name: str) -> Iterator[Record]:
    """The probes again, with the arithmetic allowed that the fingerprint named: they have to hold now."""
    if name in (DIRECT, NONE):
        return
    for probe in ("impulse", "exact", "bound"):
        for finding in findings(probe, replace(case, arithmetic=name)):
            yield {"kind": "allowed", "probe": probe, "arithmetic_asked": name, **_kept(case.bench, finding)}


def _kept(bench: Bench, finding: Finding) -> Record:
    check = Check("", bench.version, "", finding, bench.placement, bench.unplaced, 0, "")
    return _short(check.document())


def _short(document: Record) -> Record:
    """What is said of a check, and of what it tells without judging that which is not as it would be by the definition."""
    told = [{"of": c["of"], "says": c["says"]} for c in document.get("capabilities", ()) if c["holds"] is False]
    return {key: document[key] for key in KEPT if document.get(key)} | ({"told": told} if told else {})


def _trace(case: Case, node: Node) -> Record:
    """The fingerprint of a layer, and the narrowest model whose bound its errors on real data keep to."""
    record: Record = {"layer": node.name}
    if node.type.dtype == "float32":
        found = fingerprint(case, node, concrete(case.graph, 1)[node.inputs[0]])
        record |= {"arithmetic": found.arithmetic, "fingerprint": asdict(found), "sums": _direction(case, node)}
    fits, used = [], []
    for kind in KINDS:
        layer, got = _layer(case, node, kind)
        model = fitting(layer, got)
        fits.append(model.name)
        used.append({name: _used(layer, got, limit) for name, limit in _limits(layer, model.name).items()})
    widest = max(fits, key=list(ARITHMETICS).index)
    worst = {name: max(each.get(name, 0.0) for each in used) for name in sorted({n for each in used for n in each})}
    return record | {"fits": widest, "used": worst}


def _layer(case: Case, node: Node, kind: str) -> tuple[Layer, np.ndarray]:
    graph = pinned(case.graph, 2)
    inputs = {
        name: real(kind, tuple(map(int, type.shape)), type.dtype, Stream("cuda", case.seed, kind, name))
        for name, type in graph.inputs
    }
    case.bench.load(case.graph, case.weights)
    got = outputs_of(case.bench, graph, inputs)[node.output]
    xs = [inputs[name] for name in node.inputs]
    w = {role: case.weights[param] for role, param in node.params}
    one = Node(node.name, node.op, node.inputs, node.output, TensorType(node.type.dtype, got.shape), node.params)
    return Layer(one, xs, w, apply(one, xs, w)), got


def _limits(layer: Layer, fits: str) -> dict[str, Callable[[], np.ndarray]]:
    """The bounds to be compared with: direct, the one that fits, and for half precision that of sums in float32."""
    limits = {name: lambda name=name: ARITHMETICS[name].allowed(layer) for name in {DIRECT, fits} - {NONE}}
    unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(layer.node.type.dtype)
    if unit is not None:
        limits["float32 sums"] = lambda: _stored(layer, unit)
    return limits


def _stored(layer: Layer, unit: float) -> np.ndarray:
    """Sums in float32, truncated, of products that are exact there, rounded once to the narrow type."""
    sums = gamma(2 * layer.roundings + 1, 2.0**-23) * layer.magnitude()
    return sums + unit * (np.abs(layer.y) + sums) + 2.0**-24


def _used(layer: Layer, got: np.ndarray, limit: Callable[[], np.ndarray]) -> float:
    with np.errstate(all="ignore"):
        error, allowed = np.abs(got.astype(np.float64) - layer.y), limit()
        judged = np.isfinite(layer.y) & np.isfinite(allowed)
        ratio = np.where(error > 0, error / allowed, 0.0)[judged]
    worst = float(ratio.max()) if ratio.size else 0.0
    return worst if math.isfinite(worst) else 1e300


def _direction(case: Case, node: Node) -> str:
    """How a sum of 2^24 and 1.5 is rounded: to nearest it is 2^24 + 2, truncated, as tensor cores do, 2^24.

    Two taps of weight 1 see these two in turn; both numbers are whole in TF32 and bfloat16, so operands lose nothing.
    """
    terms = node.op.weight_shapes(concrete(case.graph, 1)[node.inputs[0]])["weight"]
    if node.op.kind != "Conv" or math.prod(terms[1:]) < 2:
        return ""
    weight = np.zeros(terms, np.float32)
    weight.reshape(terms[0], -1)[:, :2] = 1.0
    shape = (1, *concrete(case.graph, 1)[node.inputs[0]][1:])
    picked = Stream("direction", case.seed, node.name).below(2, math.prod(shape)).reshape(shape)
    x = np.where(picked == 0, 1.5, 2.0**24).astype(np.float32)
    w = {role: np.zeros(param.shape, np.float32) for role, param in node.params} | {"weight": weight}
    graph = pinned(case.graph, 1)
    case.bench.load(graph, onnxconv.weights.given({param.name: w[role] for role, param in node.params}))
    got = outputs_of(case.bench, graph, {node.inputs[0]: x})[node.output]
    one = Node(node.name, node.op, node.inputs, node.output, TensorType("float32", got.shape), node.params)
    exact = apply(one, [x], w)
    between = exact == 2.0**24 + 1.5
    seen = set(got[between].tolist())
    return {(2.0**24 + 2,): "to nearest", (2.0**24,): "truncated"}.get(tuple(sorted(seen)), "both" if seen else "")


def probe_network(source: str, setting: str, arithmetic: str, until: float, timeout: float, path: Path) -> None:
    """A whole network, as `onnxconv verify` judges it, probe by probe."""
    label = {"kind": "network", "source": Path(source).stem, "setting": setting, "arithmetic_asked": arithmetic}

    def look() -> Iterator[Record]:
        network = onnxconv.read(source)
        for probe in ("shape", "routing", "bound", "exact"):
            if time.time() > until or not PROBES[probe].applies(network.graph, arithmetic):
                continue
            began = time.time()
            for check in network.verify([setting], probes=[probe], arithmetic=arithmetic, timeout=timeout).checks:
                yield {"probe": probe, **_short(check.document()), "seconds": round(time.time() - began, 1)}

    with path.open("a", encoding="utf-8") as file:
        for record in _guarded(look):
            _write(file, {**label, **record})


def time_network(source: str, runtimes: list[str], threads: int, repeat: int, timeout: float, path: Path) -> None:
    """Times of a whole network, one image, side by side."""

    def look() -> Iterator[Record]:
        network = onnxconv.read(source)
        for timed in network.bench(runtimes, threads=threads, repeat=repeat, timeout=timeout):
            seconds = sorted(timed.seconds)
            times = {"median_ms": 1e3 * float(np.median(seconds)), "min_ms": 1e3 * seconds[0]} if seconds else {}
            reason = {"reason": timed.reason} if timed.reason else {}
            yield {"setting": timed.runtime, "version": timed.version, "runs": timed.runs, **times, **reason}

    with path.open("a", encoding="utf-8") as file:
        for record in _guarded(look):
            _write(file, {"kind": "time", "source": Path(source).stem, "threads": threads, **record})


def _guarded(look: Callable[[], Iterator[Record]]) -> Iterator[Record]:
    """What is found, and what went wrong with looking: one broken case must not cost the others."""
    try:
        yield from look()
    except OnnxconvError as error:
        yield {"kind": "failure", "reason": str(error)}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        yield {"kind": "failure", "reason": what}


def _write(file: Any, record: Record) -> None:
    file.write(json.dumps(record) + "\n")
    file.flush()
