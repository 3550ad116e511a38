"""What a run by the planned executor holds: beside the report's peak of live activations, and on a very large image.

    python benchmarks/memory.py [SPEC …] [--side PIXELS]

Prints a Markdown table: the bytes of the executor's own tensors and scratch memory for one thread, inputs and outputs
included and weights not, as NumPy allocates them. Then VGG-16's first block on an image of PIXELS a side (4096), in a process
of its own: the most memory that the process has held. Linux tells that; elsewhere it is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tracemalloc
from pathlib import Path

from executors import DENSE, DEPTHWISE, OTHERS, SPECS

BLOCK = """
import sys
import onnxconv
from onnxconv.execute import seeded_inputs
from onnxconv.execute.fast import Program, make_plan
side = int(sys.argv[1])
layers = [{"conv": {"filters": 64, "kernel": 3, "pad": 1}}, "relu"] * 2 + [{"max_pool": 2}]
network = onnxconv.read({"inputs": {"x": f"float32[1, 3, {side}, {side}]"}, "layers": layers})
import numpy as np
x = {"x": np.ones((1, 3, side, side), np.float32)}
(y,) = Program(make_plan(network.graph, network.weights, {"x": x["x"].shape}), 1).run(x).values()
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
print(peak, x["x"].nbytes + y.nbytes)
"""


def held(spec: Path) -> tuple[int, int]:
    """Bytes at most while a program is made and run, and the report's peak."""
    import onnxconv
    from onnxconv.cost import costs
    from onnxconv.execute import seeded_inputs
    from onnxconv.execute.fast import Program, make_plan

    network = onnxconv.read(spec)
    inputs = seeded_inputs(network.graph)
    weights = {param: network.weights[param] for param in network.graph.params()}
    plan = make_plan(network.graph, weights, {name: x.shape for name, x in inputs.items()})
    tracemalloc.start()
    Program(plan, 1).run(inputs)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    peak = costs(network.graph).totals.peak_activation_bytes
    assert peak is not None, "specs have sizes"
    return used + sum(x.nbytes for x in inputs.values()), peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = [SPECS / f"{name}.yaml" for name in (*DENSE, *DEPTHWISE, *OTHERS)]
    parser.add_argument("specs", nargs="*", type=Path, default=default)
    parser.add_argument("--side", type=int, default=4096)
    asked = parser.parse_args()
    print("| network | a run holds, MB | live activations, MB | ratio |\n|---|---|---|---|", flush=True)
    for spec in asked.specs:
        used, peak = held(spec)
        print(f"| {spec.stem} | {used / 1e6:.1f} | {peak / 1e6:.1f} | {used / peak:.2f} |", flush=True)
    if Path("/proc/self/status").exists():
        done = subprocess.run(
            [sys.executable, "-c", BLOCK, str(asked.side)], capture_output=True, text=True, check=True
        )
        peak, ends = map(int, done.stdout.split())
        print(
            f"\nVGG-16's first block on {asked.side} × {asked.side} pixels: the process held {peak / 1e9:.2f} GB at most, ",
            end="",
        )
        print(f"{ends / 1e9:.2f} GB of which are its input and its output.")


if __name__ == "__main__":
    main()
