"""Each runtime on each property of convolutions, transposed convolutions and pools, on special values, and again.

    python benchmarks/conformance.py [--runtime NAME …] [--case PATTERN] [--store DIR] [-o docs/conformance.md]

Every layer, alone in a network, is judged by `onnxconv verify` with the probes below, and prints as Markdown what was seen:
runtimes that are absent, refuse a model or disagree say so. Nothing passes or fails here.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import sys
from pathlib import Path

from page import hand_out, ran, versions

import onnxconv
from onnxconv.runtimes import Absent, names, status
from onnxconv.verify import Check, Verdict
from onnxconv.weights import seeded

PROBES = ("shape", "impulse", "exact", "bound")

INPUTS = {
    0: "x: float32[N, 16, 24, 24]",
    1: "x: float32[2, 4, 13]",
    2: "x: float32[2, 4, 11, 12]",
    3: "x: float32[2, 4, 6, 7, 8]",
}
"""By spatial rank; 0: images in any number."""

CASES: dict[str, dict[str, tuple[int, str]]] = {
    "conv": {
        "1-D": (1, "conv: {filters: 6, kernel: 3}"),
        "1-D, pads differ (causal), dilated": (1, "conv: {filters: 6, kernel: 3, dilation: 2, pad: causal}"),
        "2-D": (2, "conv: {filters: 6, kernel: 3}"),
        "3-D": (3, "conv: {filters: 6, kernel: 3, pad: 1}"),
        "kernel 1": (2, "conv: {filters: 6, kernel: 1}"),
        "kernel even, same": (2, "conv: {filters: 6, kernel: 4, pad: same}"),
        "kernel oblong": (2, "conv: {filters: 6, kernel: [1, 5], pad: [0, 2]}"),
        "pads all differ": (2, "conv: {filters: 6, kernel: 3, pad: [[0, 2], [1, 3]]}"),
        "pads beyond the kernel": (2, "conv: {filters: 6, kernel: 2, pad: 3}"),
        "same, strided": (2, "conv: {filters: 6, kernel: 3, stride: 2, pad: same}"),
        "same_lower, strided": (2, "conv: {filters: 6, kernel: 3, stride: 2, pad: same_lower}"),
        "strides differ": (2, "conv: {filters: 6, kernel: 3, stride: [2, 1]}"),
        "stride beyond the kernel": (2, "conv: {filters: 6, kernel: 2, stride: 3}"),
        "dilations differ": (2, "conv: {filters: 6, kernel: 3, dilation: [1, 2]}"),
        "groups": (2, "conv: {filters: 6, kernel: 3, group: 2}"),
        "depthwise, multiplier 2": (2, "conv: {multiplier: 2, group: depthwise, kernel: 3, pad: 1}"),
        "pads, stride, dilation and groups": (
            2,
            "conv: {filters: 6, kernel: 3, group: 2, dilation: [1, 2], stride: [2, 1], pad: [[0, 2], [3, 1]]}",
        ),
        "3-D, everything": (
            3,
            "conv: {filters: 6, kernel: [2, 3, 1], group: 2, dilation: [2, 1, 1], stride: [1, 2, 3], pad: [[1, 0], [0, 2], [1, 1]]}",
        ),
        "no bias": (2, "conv: {filters: 6, kernel: 3, bias: false}"),
    },
    "transposed conv": {
        "1-D": (1, "conv_transpose: {filters: 6, kernel: 3, stride: 2}"),
        "2-D": (2, "conv_transpose: {filters: 6, kernel: 3}"),
        "3-D": (3, "conv_transpose: {filters: 6, kernel: 3, stride: 2}"),
        "strided, padded": (2, "conv_transpose: {filters: 6, kernel: 3, stride: 2, pad: 1}"),
        "output_pad": (2, "conv_transpose: {filters: 6, kernel: 3, stride: 2, pad: 1, output_pad: 1}"),
        "pads all differ": (2, "conv_transpose: {filters: 6, kernel: 4, stride: 2, pad: [[0, 2], [1, 3]]}"),
        "dilated": (2, "conv_transpose: {filters: 6, kernel: 3, dilation: 2}"),
        "groups": (2, "conv_transpose: {filters: 6, kernel: 3, group: 2}"),
        "groups, dilated, strided": (2, "conv_transpose: {filters: 6, kernel: 3, group: 2, dilation: 2, stride: 2}"),
        "stride beyond the kernel": (2, "conv_transpose: {filters: 6, kernel: 2, stride: 3}"),
    },
    "pool": {
        "max, 1-D": (1, "max_pool: {kernel: 3, stride: 2}"),
        "max, 2-D": (2, "max_pool: {kernel: 3, stride: 2, pad: 1}"),
        "max, 3-D": (3, "max_pool: {kernel: 2}"),
        "max, pads all differ": (2, "max_pool: {kernel: 3, stride: 2, pad: [[0, 1], [1, 0]]}"),
        "max, dilated": (2, "max_pool: {kernel: 2, stride: 1, dilation: 2}"),
        "max, ceil": (2, "max_pool: {kernel: 3, stride: 2, ceil: true}"),
        "average, 1-D": (1, "average_pool: {kernel: 3, stride: 2}"),
        "average, 2-D": (2, "average_pool: {kernel: 3, stride: 2, pad: 1}"),
        "average, 3-D": (3, "average_pool: {kernel: 2}"),
        "average, padding counted": (2, "average_pool: {kernel: 3, stride: 2, pad: 1, count_include_pad: true}"),
        "average, pads all differ": (2, "average_pool: {kernel: 3, stride: 2, pad: [[0, 1], [1, 0]]}"),
        "average, dilated": (2, "average_pool: {kernel: 2, stride: 1, dilation: 2}"),
        "average, ceil": (2, "average_pool: {kernel: 3, stride: 2, ceil: true}"),
        "average, ceil, padding counted": (
            2,
            "average_pool: {kernel: 3, stride: 2, pad: 1, ceil: true, count_include_pad: true}",
        ),
        "global max": (2, "global_max_pool"),
        "global average": (2, "global_average_pool"),
    },
    "special values": {
        "conv": (2, "conv: {filters: 6, kernel: 3}"),
        "transposed conv": (2, "conv_transpose: {filters: 6, kernel: 3}"),
        "batch norm": (2, "batch_norm"),
        "relu": (2, "relu"),
        "relu6": (2, "relu6"),
        "leaky relu": (2, "leaky_relu"),
        "sigmoid": (2, "sigmoid"),
        "tanh": (2, "tanh"),
        "softmax": (2, "softmax"),
        "max pool": (2, "max_pool: {kernel: 3, pad: 1}"),
        "average pool": (2, "average_pool: {kernel: 3, pad: 1}"),
        "global max": (2, "global_max_pool"),
        "global average": (2, "global_average_pool"),
    },
    "determinism": {
        "conv": (0, "conv: {filters: 64, kernel: 3, pad: 1}"),
        "depthwise": (0, "conv: {group: depthwise, multiplier: 1, kernel: 3, pad: 1}"),
        "transposed conv": (0, "conv_transpose: {filters: 32, kernel: 3, stride: 2}"),
        "global average": (0, "global_average_pool"),
    },
}
"""Spatial rank and layer, by property."""

TELLING = {"special values": "special", "determinism": "determinism"}
"""Kinds whose probe judges nothing."""
SAID = {
    "special values": "Values that did not come out as defined, by probe `special`; what became of them stands below. Nothing is wrong here.",
    "determinism": "Whether outputs are the same bits, by probe `determinism`; parts that a runtime has no option for are left out.",
}

OPEN = "…"
"""What was not looked at."""

Asked = dict[str, dict[str, tuple[int, str]]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", action="append", help="by default all that can work here, but numpy")
    parser.add_argument("--case", default="*", help="pattern of cases, such as 'pool/average*'")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one load or run")
    parser.add_argument("--store", type=Path, help="folder of results: what is there is not computed again")
    parser.add_argument("--stored", action="store_true", help="compute nothing: what the store lacks is left open")
    parser.add_argument("-o", type=Path, help="file instead of standard output")
    return parser.parse_args()


def spec(rank: int, layer: str) -> str:
    return f"name: case\ninputs:\n  {INPUTS[rank]}\nlayers:\n  - {layer}\n"


def seen(checks: tuple[Check, ...]) -> str:
    """The gravest verdict in words, and the arithmetic where it is not direct float32."""
    for verdict in (Verdict.FAIL, Verdict.NOT_RUN):
        if found := next((c for c in checks if c.verdict is verdict), None):
            return f"**{verdict.value}** ({found.probe}): {found.reason}"
    passed = sum(check.verdict is Verdict.PASS for check in checks)
    other = sorted({c.finding.arithmetic for c in checks} - {"", "direct"})
    return " ".join(["pass" if passed else "untrusted", *other])


def proven(network: onnxconv.Network, runtime: str, layer: str, timeout: float) -> tuple[str, str]:
    """The verdict of the probes that apply, and why it is not a pass."""
    probes = PROBES[:1] + PROBES[1 + ("pool" in layer) :]
    short, _, why = seen(network.verify(runtimes=[runtime], probes=probes, timeout=timeout).checks).partition(": ")
    return short, f"{short}: {why}" if why else ""


def told(network: onnxconv.Network, runtime: str, probe: str, timeout: float) -> tuple[str, str]:
    """What a probe told that judges nothing, and what was otherwise."""
    (check,) = network.verify(runtimes=[runtime], probes=[probe], timeout=timeout).checks
    if check.verdict is not Verdict.PASS:
        short, _, why = seen((check,)).partition(": ")
        return short, why
    found = [one for one in check.finding.capabilities if one.holds is not None]
    other = [one for one in found if not one.holds]
    if probe == "determinism":
        short = ", ".join(f"{one.of} {'equal' if one.holds else '**differs**'}" for one in found)
    else:
        short = ", ".join(one.of for one in other) or "all kept"
    return short, "; ".join(f"{one.of}: {one.says}" for one in other)


def cell(kind: str, rank: int, layer: str, runtime: str, version: str, asked: argparse.Namespace) -> tuple[str, str]:
    """What a runtime did, from the store if it is there; a run that was cut short by time is not kept."""
    key = "\n".join((kind, spec(rank, layer), runtime, version))
    path = asked.store and asked.store / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    if path and path.exists():
        short, why = json.loads(path.read_text(encoding="utf-8"))
        return short, why
    if asked.stored:
        return OPEN, ""
    network = onnxconv.Network(onnxconv.resolve(onnxconv.parse(spec(rank, layer))), seeded())
    probe = TELLING.get(kind)
    found = (told if probe else proven)(network, runtime, probe or layer, asked.timeout)
    if path and "timed out" not in found[1]:
        path.write_text(json.dumps(found), encoding="utf-8")
    return found


def table(
    kind: str, cases: dict[str, tuple[int, str]], runtimes: dict[str, str], asked: argparse.Namespace
) -> list[str]:
    """A Markdown table of one kind of layer, and below it every disagreement in full."""
    head = [
        f"## {kind}",
        "",
        *((SAID[kind], "") if kind in SAID else ()),
        f"| property | {' | '.join(f'`{name}`' for name in runtimes)} |",
        "|---" * (len(runtimes) + 1) + "|",
    ]
    rows, notes = [], []
    for title, (rank, layer) in cases.items():
        cells = []
        for runtime, version in runtimes.items():
            short, why = cell(kind, rank, layer, runtime, version, asked)
            cells.append(short)
            if why:
                notes.append(f"- `{runtime}`, {title} (`{layer}`): {why}")
        print(f"{kind}/{title}: {', '.join(cells)}", file=sys.stderr)
        rows.append(f"| {title} | {' | '.join(cells)} |")
    return [*head, *rows, "", *notes, *([""] if notes else [])]


def main() -> None:
    asked = arguments()
    states = {name: status(name) for name in asked.runtime or [name for name in names() if name != "numpy"]}
    runtimes = {name: state.version for name, state in states.items() if not isinstance(state, Absent)}
    if asked.store:
        asked.store.mkdir(parents=True, exist_ok=True)
    command = f"python benchmarks/conformance.py {' '.join(f'--runtime {name}' for name in runtimes)}"
    lines = [
        "# Conformance",
        "",
        "What each runtime did with each property of a layer, alone in a network, told by",
        "",
        *ran(command, f" `pass`: all of the probes {', '.join(PROBES)} that apply held."),
        *versions(states),
        "",
    ]
    tables = []
    for kind, cases in CASES.items():
        chosen = {title: case for title, case in cases.items() if fnmatch.fnmatch(f"{kind}/{title}", asked.case)}
        if chosen:
            tables += table(kind, chosen, runtimes, asked)
    if any(f" {OPEN} |" in line for line in tables):
        lines += [f"{OPEN}: not looked at yet; {sum(line.count(f' {OPEN} |') for line in tables)} cells.", ""]
    hand_out([*lines, *tables], asked.o)


if __name__ == "__main__":
    main()
