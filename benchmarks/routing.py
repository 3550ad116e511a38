"""Whole optimised networks on each runtime by the probe `routing`: equal bit for bit, or not, and how much was observed.

    python benchmarks/routing.py [--runtime NAME …] [--spec NAME …] [--trials N] [--coverage SHARE] [-o docs/routing.md]

Prints a Markdown table, one network after the other. Nothing passes or fails here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from page import hand_out, ran, versions

import onnxconv
from onnxconv.graph import Graph
from onnxconv.runtimes import status
from onnxconv.verify import Check
from onnxconv.verify.plan import Plan, Tell, plan, plan_in_multiples
from onnxconv.weights import Weights

routing = import_module("onnxconv.verify.routing")  # the package's own `routing` would be the probe

SPECS = Path(__file__).parents[1] / "specs"
NETWORKS = ("resnet50", "mobilenet_v2", "unet", "densenet121", "inception_v3", "tcn", "c3d")
HEAD = """\
Whole networks, optimised as each runtime does by itself, with weights for which next to nothing rounds: by the probe
`routing` ([what it proves](verification.md#routing)), in one run of"""
RUNTIMES = ("onnxruntime:cpu", "onnxruntime:cpu,optimization=off", "torch", "openvino", "tract")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", action="append", help=f"by default {', '.join(RUNTIMES)}")
    parser.add_argument("--spec", action="append", choices=NETWORKS, help="by default all")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--coverage", type=float, default=0.0, help="share of the filters to observe")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one load or run")
    parser.add_argument("-o", type=Path, help="file instead of standard output")
    return parser.parse_args()


def told(check: Check) -> str:
    """The verdict, and what stands behind it."""
    finding = check.finding
    why = finding.note if finding.verdict.value == "pass" else finding.reason
    return f"{finding.verdict.value}: {why}"


def remembered(make: Callable[..., Plan | None]) -> Callable[..., Plan | None]:
    """The plans of a network, which are the same for every runtime, made once."""
    known: dict[tuple[int, bool], Plan | None] = {}

    def remember(graph: Graph, weights: Weights, seed: int, tell: Tell, **more: bool) -> Plan | None:
        key = seed, any(more.values())
        if key not in known:
            known[key] = make(graph, weights, seed, tell, **more)
        return known[key]

    return remember


def main() -> None:
    asked = arguments()
    command = ["python benchmarks/routing.py", *(f"--runtime {name}" for name in asked.runtime or ())]
    command += [f"--spec {name}" for name in asked.spec or ()]
    command += [f"--trials {asked.trials}"] * (asked.trials > 1) + [f"--coverage {asked.coverage:g}"] * (
        asked.coverage > 0
    )
    lines = ["# Routed networks", "", HEAD, "", *ran(" ".join(command))]
    lines += ["| network | runtime | verdict | elements | filters observed |", "|---|---|---|---|---|"]
    states = {name: status(name) for name in asked.runtime or RUNTIMES}
    for name in asked.spec or NETWORKS:
        routing.plan, routing.plan_in_multiples = remembered(plan), remembered(plan_in_multiples)
        network = onnxconv.read(SPECS / f"{name}.yaml")
        for runtime in states:
            start = time.perf_counter()
            found = network.verify(
                runtimes=[runtime],
                probes=["routing"],
                trials=asked.trials,
                coverage=asked.coverage,
                timeout=asked.timeout,
            )
            for check in found.checks:
                filters = check.finding.coverage.get("filters")
                share = "" if filters is None else f"{filters:.1%}"
                lines.append(f"| {name} | `{runtime}` | {told(check)} | {check.finding.elements:,} | {share} |")
                print(f"{lines[-1]} {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    hand_out([*lines, "", *versions(states), ""], asked.o)


if __name__ == "__main__":
    main()
