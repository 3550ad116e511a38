"""Times a reference run beside a verified one: every layer's definition, and the same with its error bound, compared.

    python benchmarks/verified.py [SPEC …] [--repeat N] [--clock wall|cpu]

Prints a Markdown table of medians in milliseconds, and of ratios within the same round with their spread. Both read the
tensors that the planned executor gave in float32, as the probe `bound` of `onnxconv verify` reads those of a runtime;
both compute in float64, the magnitudes of float32 sums of products in float32. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from executors import CLOCKS, SPECS, medians, on_processors, preamble, ratios, rounds

DEFAULT = ("vgg16", "resnet50", "inception_v3", "mobilenet_v2", "densenet121", "wavenet")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[SPECS / f"{name}.yaml" for name in DEFAULT])
    parser.add_argument("--repeat", type=int, default=3, help="counted rounds, after one warm-up")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


def contestants(spec: Path) -> dict[str, Callable[[], object]]:
    import onnxconv
    from onnxconv.execute import apply, seeded_inputs
    from onnxconv.execute.fast import Program, make_plan
    from onnxconv.verify.arithmetic import DIRECT
    from onnxconv.verify.judge import compared

    network = onnxconv.read(spec)
    graph, inputs = network.graph, seeded_inputs(network.graph)
    weights = {param: network.weights[param] for param in graph.params()}
    shapes = {name: array.shape for name, array in inputs.items()}
    tensors = inputs | Program(make_plan(graph, weights, shapes, every_tensor=True), 1).run(inputs)
    layers = [
        (node, [tensors[name] for name in node.inputs], {role: weights[param] for role, param in node.params})
        for node in graph.nodes
    ]
    program = Program(make_plan(graph, weights, shapes), 1)

    def plain() -> None:
        for node, xs, w in layers:
            apply(node, xs, w)

    def verified() -> None:
        for node, xs, w in layers:
            assert compared(node, xs, w, tensors[node.output], DIRECT).mismatches == 0

    return {"verified": verified, "reference": plain, "numpy:fast": lambda: program.run(inputs)}


def table(specs: list[Path], repeat: int, clock: str) -> Iterator[str]:
    names = ("reference", "verified", "numpy:fast")
    yield f"| network | {' | '.join(f'{name} ms' for name in names)} | verified ÷ reference | verified ÷ numpy:fast |"
    yield "|---" * 6 + "|"
    for spec in specs:
        seconds = rounds(contestants(spec), repeat, CLOCKS[clock], math.inf)
        told = [medians(seconds, name) for name in names]
        told += [ratios(seconds, "verified", name) for name in ("reference", "numpy:fast")]
        yield f"| {spec.stem} | {' | '.join(told)} |"


def main() -> None:
    asked = arguments()
    on_processors(1)
    print(f"{preamble(1, asked.repeat, asked.clock)}\n", flush=True)
    for line in table(asked.specs, asked.repeat, asked.clock):
        print(line, flush=True)


if __name__ == "__main__":
    main()
