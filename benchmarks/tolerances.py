"""What may be off in the outputs of whole networks by derivation and by measurement, beside what runtimes and narrow operands do.

    python benchmarks/tolerances.py [SPEC[@PIXELS] …]

Prints a Markdown table, of the networks of tests/embed/nets.py and of specs, on images of so many pixels a side. All numbers are
shares of the output's range: of the largest ones that occur, over the golden inputs of seed 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime

import onnxconv
from onnxconv.dtypes import rounded
from onnxconv.embed.tolerance import tolerances
from onnxconv.emit import to_bytes
from onnxconv.execute import apply, run, seeded_inputs
from onnxconv.geometry import Array
from onnxconv.graph import Graph
from onnxconv.verify.sizes import pinned
from onnxconv.verify.words import PRODUCTS
from onnxconv.weights import Weights

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from embed.nets import NETS

BITS = {"operands of 11 bits": 11, "of 8 bits": 8}
"""As float16 and TF32 have, and as bfloat16 has."""


def cut(x: Array, bits: int) -> Array:
    """Rounded to so many bits of significand."""
    fraction, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits).astype(x.dtype)


def narrowed(graph: Graph, weights: Weights, inputs: dict[str, Array], bits: int) -> dict[str, Array]:
    """The reference, whose sums of products are given operands of so many bits."""
    values = dict(inputs)
    for node in graph.nodes:
        w, xs = {role: weights[param] for role, param in node.params}, [values[name] for name in node.inputs]
        if node.op.kind in PRODUCTS:
            w, xs = w | {"weight": cut(w["weight"], bits)}, [cut(x, bits) for x in xs]
        values[node.output] = rounded(apply(node, xs, w), node.type.dtype)
    return {name: values[name] for name in graph.outputs}


def row(name: str, network: onnxconv.Network, images: int) -> str:
    graph = pinned(network.graph, images)
    inputs = seeded_inputs(graph, 1)
    expected = run(graph, network.weights, inputs)
    found = tolerances(graph, network.weights, inputs, expected, "direct")
    session = onnxruntime.InferenceSession(to_bytes(graph, network.weights), providers=["CPUExecutionProvider"])
    others = [dict(zip(graph.outputs, session.run(list(graph.outputs), inputs), strict=True))]
    others += [narrowed(graph, network.weights, inputs, bits) for bits in BITS.values()]
    output = graph.outputs[0]
    y, tolerance = expected[output].astype(np.float64), found[output]
    numbers = [tolerance.derived, tolerance.measured, *(np.abs(other[output] - y).max() for other in others)]
    shares = ("–" if number is None else f"{number / np.ptp(y):.1e}" for number in numbers)
    depth = sum(node.op.kind in PRODUCTS for node in graph.nodes)
    return f"| {name} | {depth} | {' | '.join(shares)} | {tolerance.basis} |"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("specs", nargs="*", metavar="SPEC[@PIXELS]")
    columns = ("network", "sums of products", "derived", "measured", "onnxruntime", *BITS, "taken")
    specs = words.parse_args().specs
    print(f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", sep="\n")
    for name, net in NETS.items():
        print(row(f"`{name}`", onnxconv.read(net, seed=1), 2), flush=True)
    for spec in specs:
        path, _, pixels = spec.partition("@")
        sizes = {"x": [1, 3, int(pixels), int(pixels)]} if pixels else {}
        print(row(Path(path).stem, onnxconv.read(path, seed=1, input_shapes=sizes), 1), flush=True)


if __name__ == "__main__":
    main()
