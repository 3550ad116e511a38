"""Who notices a faulty runtime, and who blames a correct one: onnxconv's probes beside published recipes.

    python benchmarks/mutants.py [--spec PATTERN] [--mutant PATTERN] [--runtime NAME …] [--seeds N] [--jobs N] [--store DIR] [-o docs/mutants.md]

Faulty runtimes are made from a correct one, in this process; each is tried on each small network. Correct runs are made on
real runtimes in processes of their own, on the same networks with other weights and on layers as large as ResNet's.
Prints Markdown. Nothing passes or fails here.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import pickle
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from faulty import MUTANTS
from faulty.large import LARGE, large
from faulty.machine import Machine
from faulty.recipes import RECIPES, agrees
from faulty.specs import SPECS, graph, weights
from faulty.trial import Answers, battery, caught, equivalent, found, told
from page import hand_out, ran, versions

from onnxconv.graph import Graph
from onnxconv.runtimes import Absent, status
from onnxconv.verify import Verdict
from onnxconv.verify.case import Bench
from onnxconv.weights import Weights

RUNTIMES = ("onnxruntime:cpu", "onnxruntime:cpu,optimization=off", "onnx-reference", "openvino", "tract", "torch")

REPORTING = ("determinism",)
"""Probes that never fail and start more workers: they are left out of correct runs."""

WRONG = {
    ("onnx-reference", "transposed 2-D, groups"): "raises ValueError: its ConvTranspose does not know groups",
}
"""Runs that are no correct ones, though a runtime is right elsewhere; see docs/conformance.md."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="*", help="pattern of networks, such as 'conv*'")
    parser.add_argument("--mutant", default="*", help="pattern of mutants, such as '*groups*'; '' for none")
    parser.add_argument("--runtime", action="append", help=f"correct ones; by default {', '.join(RUNTIMES)}")
    parser.add_argument(
        "--seeds", type=int, default=11, help="correct runs of each network on each runtime; 0 for none"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--store", type=Path, help="folder of results: what is there is not computed again")
    parser.add_argument("-o", type=Path, help="file instead of standard output")
    return parser.parse_args()


SMALL, WIDE = "small", "ResNet-size"
"""Kinds of networks."""


@dataclass
class Seen:
    """What one network showed: rows of (mutant's name, the probe that caught it, which recipes noticed it)."""

    network: str
    equivalent: list[str] = field(default_factory=list)
    rows: list[tuple[str, str, list[bool]]] = field(default_factory=list)


def mutated(name: str, pattern: str) -> Seen:
    """Every mutant on one network."""
    network, seen = graph(name), Seen(name)
    arrays = weights(network, 0, quiet="quiet" in name)
    answers, usual = Answers(network, arrays), told(network, arrays)
    for mutant in MUTANTS:
        if not fnmatch.fnmatchcase(mutant.name, pattern):
            continue
        if equivalent(network, arrays, mutant):
            seen.equivalent.append(mutant.name)
            continue
        machine = Machine(mutant.fault)
        machine.load(network, arrays)
        noticed = answers.noticed(machine)
        seen.rows.append((mutant.name, caught(network, arrays, Machine(mutant.fault), usual), noticed))
    return seen


@dataclass
class Correct:
    """Correct runs of one kind of network on a runtime. `alarms`: of ours, then of each recipe. `silent`: untrusted."""

    runtime: str
    kind: str
    runs: int = 0
    alarms: list[int] = field(default_factory=lambda: [0] * (1 + len(RECIPES)))
    silent: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)


CHUNK = 3
"""Seeds in one piece of work."""


def run(piece: tuple[str, str, tuple[int, ...]], pattern: str) -> Correct:
    """The networks of a kind with some seeds on a runtime. Those that it does not implement are left out, with its reason."""
    runtime, kind, seeds = piece
    total = Correct(runtime, kind)
    if isinstance(state := status(runtime), Absent):
        total.left_out[f"all: {state.reason}"] += 1
        return total
    with Bench(runtime, 300.0, {}) as bench:
        for name in fnmatch.filter(SPECS if kind == SMALL else LARGE, pattern):
            for seed in seeds:
                network = graph(name) if kind == SMALL else large(name)
                one(total, bench, name, seed, network, weights(network, seed, quiet="quiet" in name))
    return total


def together(totals: Iterable[Correct]) -> list[Correct]:
    """All pieces of one kind of network on a runtime as one."""
    merged: dict[tuple[str, str], Correct] = {}
    for total in totals:
        mine = merged.setdefault((total.runtime, total.kind), Correct(total.runtime, total.kind))
        mine.runs += total.runs
        mine.alarms = [a + b for a, b in zip(mine.alarms, total.alarms, strict=True)]
        mine.silent += total.silent
        mine.left_out.update(total.left_out)
        mine.reasons += total.reasons
    return list(merged.values())


def one(total: Correct, bench: Bench, name: str, seed: int, network: Graph, arrays: Weights) -> None:
    """One network on a runtime, by our probes and by every recipe."""
    if reason := WRONG.get((total.runtime, name)):
        total.left_out[f"{name}: {reason}"] += 1
        return
    found_all = list(found(network, arrays, bench, seed, but=REPORTING))
    if lacking := [f.reason for _, f in found_all if f.verdict is Verdict.NOT_RUN]:
        total.left_out[f"{name}: {lacking[0]}"] += 1
        return
    answers = Answers(network, arrays, seed)
    bench.load(network, arrays)
    got = {kind: bench.run(inputs) for kind, inputs in answers.inputs.items()}
    total.runs += 1
    if wrong := [(probe, f.reason) for probe, f in found_all if f.verdict is Verdict.FAIL]:
        total.alarms[0] += 1
        total.reasons.append(f"{total.runtime}, {name}, seed {seed}: {wrong[0][0]}: {wrong[0][1]}")
    total.silent += any(f.verdict is Verdict.UNTRUSTED for _, f in found_all)
    for i, recipe in enumerate(RECIPES):
        total.alarms[1 + i] += not agrees(recipe, got[recipe.data], answers.wanted[recipe.data])


def percent(part: int, whole: int) -> str:
    """A share that is rounded towards the middle: neither 0 nor 100 unless it is exactly that."""
    if not whole:
        return "–"
    if part in (0, whole):
        return f"{100 * part // whole} %"
    return f"{min(99.9, max(0.1, 100 * part / whole)):.1f} %"


HEAD = f"probes of onnxconv | {' | '.join(recipe.name for recipe in RECIPES)}"


def noticed(seen: Sequence[Seen]) -> list[str]:
    """Shares of mutants that each way has noticed, by family."""
    family = {mutant.name: mutant.family for mutant in MUTANTS}
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (3 + len(RECIPES)))
    for one in seen:
        for name, _, _ in one.rows:
            counts[family[name]][0] += 1
        for name in one.equivalent:
            counts[family[name]][1] += 1
        for name, probe, recipes in one.rows:
            for i, hit in enumerate((bool(probe), *recipes)):
                counts[family[name]][2 + i] += hit
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    lines = [f"| family | mutants | pairs | {HEAD} |", "|---" * (4 + len(RECIPES)) + "|"]
    for name, (pairs, _, *hits) in counts.items():
        mutants = {m for one in seen for m, _, _ in one.rows if name in ("all", family[m])}
        lines.append(f"| {name} | {len(mutants)} | {pairs:,} | {' | '.join(percent(hit, pairs) for hit in hits)} |")
    same = counts["all"][1]
    lines += [
        "",
        f"{same:,} more pairs are equivalent: the fault changes no output of that network. They are not counted.",
    ]
    by = Counter(probe for one in seen for _, probe, _ in one.rows if probe)
    lines += ["", "The first probe that noticed: " + ", ".join(f"`{name}` {n:,}" for name, n in by.most_common()) + "."]
    escaped: dict[str, list[str]] = defaultdict(list)
    for one in seen:
        for name, probe, _ in one.rows:
            if not probe:
                escaped[name].append(one.network)
    lines += ["", "Not noticed by any probe:" if escaped else "None was missed by all probes.", ""]
    return [*lines, *(f"- {name}: {', '.join(networks)}" for name, networks in escaped.items()), ""]


def summary(seen: Sequence[Seen], totals: Sequence[Correct]) -> list[str]:
    """Of each way the share of faults that it has noticed, and of correct runs that it has taken for faulty."""
    rows = [row for one in seen for row in one.rows]
    runs = {kind: [t for t in totals if t.kind == kind] for kind in (SMALL, WIDE)}
    lines = ["| way of comparing | faults noticed | false alarms, small networks | false alarms, ResNet-size layers |"]
    lines += ["|---|---|---|---|"]
    for i, name in enumerate(("probes of onnxconv", *(recipe.name for recipe in RECIPES))):
        hits = sum(bool(probe) if i == 0 else recipes[i - 1] for _, probe, recipes in rows)
        shares = [percent(sum(t.alarms[i] for t in some), sum(t.runs for t in some)) for some in runs.values()]
        lines.append(f"| {name} | {percent(hits, len(rows))} | {' | '.join(shares)} |")
    return [*lines, ""]


def alarms(totals: Sequence[Correct]) -> list[str]:
    """Shares of correct runs that each way has taken for faulty, by runtime and size."""
    lines = [f"| runtime | networks | runs | {HEAD} |", "|---" * (4 + len(RECIPES)) + "|"]
    for total in totals:
        shares = " | ".join(percent(n, total.runs) for n in total.alarms)
        lines.append(f"| `{total.runtime}` | {total.kind} | {total.runs:,} | {shares} |")
    runs, hits = sum(t.runs for t in totals), [sum(ns) for ns in zip(*(t.alarms for t in totals), strict=True)]
    lines.append(f"| all | | {runs:,} | {' | '.join(percent(n, runs) for n in hits)} |")
    silent = sum(total.silent for total in totals)
    lines += ["", f"In {silent:,} runs some probe said `untrusted`: it could not have told.", ""]
    lines += [f"- false alarm: {reason}" for total in totals for reason in total.reasons]
    lines += [
        f"- left out, {total.runtime}: {reason} ({n} times)" for total in totals for reason, n in total.left_out.items()
    ]
    return [*lines, ""]


def page(asked: argparse.Namespace, seen: Sequence[Seen], totals: Sequence[Correct]) -> list[str]:
    command = ["python benchmarks/mutants.py", *(f"--runtime {name}" for name in asked.runtime or ())]
    patterns = {what: getattr(asked, what) for what in ("spec", "mutant")}
    command += [f"--{what} {shlex.quote(pattern)}" for what, pattern in patterns.items() if pattern != "*"]
    lines = [
        "# Faulty runtimes and correct ones",
        "",
        "Who notices a faulty runtime, and who blames a correct one, in one run of",
        "",
    ]
    lines += ran(" ".join([*command, f"--seeds {asked.seeds}"]))
    if seen and totals:
        lines += summary(seen, totals)
    if seen:
        lines += [
            "## Faulty runtimes",
            "",
            MADE.format(networks=len(seen), batches=len(list(battery(graph("dense"), False)))),
            "",
            *noticed(seen),
        ]
    if totals:
        lines += ["## Correct ones", "", RIGHT.format(large=len(LARGE)), "", *alarms(totals)]
        lines += [*versions({total.runtime: status(total.runtime) for total in totals}), ""]
    lines += ["## The recipes", "", *(f"- **{r.name}**: {r.source}. Data here: {r.data}." for r in RECIPES), ""]
    return lines


MADE = """\
A mutant is onnxruntime, node by node, with one fault (`tests/faulty/`); it is tried on each of {networks} networks
(`tests/faulty/specs.py`) with seeded weights. A pair of the two is *equivalent* where no output of the network differs from
that of the same runtime without the fault on {batches} batches of inputs of all sizes and signs (for special values also NaN,
infinities, −0 and subnormal numbers): both compute alike, so that a difference is the fault's. Shares are of the other pairs.
A mutant is noticed where a probe fails, or where `special` or `determinism` tell what they do not tell of the right runtime:
most faults of special values are told and not judged."""

RIGHT = """\
The same networks with other weights, and {large} layers of ResNet's sizes (`tests/faulty/large.py`), on runtimes that are
right. A share is of runs in which a way of comparing found fault: with all probes but `determinism`, which cannot."""


def kept(store: Path | None, work: partial[Any], piece: Any) -> Any:
    """The result of a piece of work, from the store if it is there."""
    name = hashlib.sha256(repr((work.func.__name__, work.keywords, piece)).encode()).hexdigest()[:20]
    path = store and store / f"{name}.pickle"
    if path and path.exists():
        return pickle.loads(path.read_bytes())
    result = work(piece)
    if path:
        path.write_bytes(pickle.dumps(result))
    return result


def main() -> None:
    asked = arguments()
    if asked.store:
        asked.store.mkdir(parents=True, exist_ok=True)
    seeds = range(1, 1 + asked.seeds)
    chunks = [(SMALL, tuple(seeds[i : i + CHUNK])) for i in range(0, asked.seeds, CHUNK)]
    chunks += [(WIDE, (1,))] if seeds else []
    pieces = [(runtime, *chunk) for runtime in asked.runtime or RUNTIMES for chunk in chunks]
    networks = fnmatch.filter(SPECS, asked.spec) if asked.mutant else []
    seen, totals = [], []
    with ProcessPoolExecutor(asked.jobs) as pool:
        mutating = pool.map(partial(kept, asked.store, partial(mutated, pattern=asked.mutant)), networks)
        running = pool.map(partial(kept, asked.store, partial(run, pattern=asked.spec)), pieces)
        for found_here in mutating:
            seen.append(found_here)
            missed = sum(not probe for _, probe, _ in found_here.rows)
            tell(f"{found_here.network}: {len(found_here.rows)} mutants, {missed} missed")
        for total in running:
            totals.append(total)
            tell(f"{total.runtime}, {total.kind}: {total.runs} runs, alarms {total.alarms}")
    hand_out(page(asked, seen, together(totals)), asked.o)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
