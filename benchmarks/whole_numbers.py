"""Convolutions of bytes (QLinearConv) by the planned executor, beside onnxruntime, the definition, and the same in float32.

    python benchmarks/whole_numbers.py [--repeat N] [--clock wall|cpu]

Prints a Markdown table of medians in milliseconds, and of ratios within the same round with their spread, after it has seen
that the executor gives the definition's bytes. One thread. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from executors import CLOCKS, OURS, medians, on_processors, preamble, ratios, rounds

LAYERS = (
    (3, 64, 224, 7, 2, 1),
    (64, 64, 56, 3, 1, 1),
    (64, 256, 56, 1, 1, 1),
    (256, 256, 14, 3, 1, 1),
    (1024, 256, 14, 1, 1, 1),
    (512, 512, 7, 3, 1, 1),
    (96, 96, 56, 3, 1, 96),
)
"""Channels, filters, pixels a side, taps a side, stride, groups."""

DEFINITION, FLOATS = "definition", f"{OURS}, float32"


def contestants(c: int, m: int, side: int, k: int, stride: int, groups: int) -> dict[str, Callable[[], object]]:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    import onnxconv
    from onnxconv.execute import run
    from onnxconv.execute.fast import Program, make_plan

    rng = np.random.default_rng(0)
    weight = np.clip(np.rint(rng.normal(0, 30, (m, c // groups, k, k))), -127, 127)
    held = {
        "x_scale": np.float32(0.02),
        "x_zero": np.uint8(128),
        "w": weight.astype(np.int8),
        "w_scale": rng.uniform(0.001, 0.002, m).astype(np.float32),
        "w_zero": np.zeros(m, np.int8),
        "y_scale": np.float32(0.05),
        "y_zero": np.uint8(120),
        "bias": rng.integers(-9999, 9999, m).astype(np.int32),
    }
    attributes = {"kernel_shape": [k, k], "pads": [k // 2] * 4, "strides": [stride] * 2, "group": groups}
    node = helper.make_node("QLinearConv", ["x", *held], ["y"], **attributes)
    of = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, c, side, side])
    outs = (side + 2 * (k // 2) - k) // stride + 1
    to = helper.make_tensor_value_info("y", TensorProto.UINT8, [1, m, outs, outs])
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()]
    graph = helper.make_graph([node], "bytes", [of], [to], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = {"x": rng.integers(0, 256, (1, c, side, side)).astype(np.uint8)}

    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "model.onnx")
        network = onnxconv.read(Path(folder) / "model.onnx")
        weights = {param: network.weights[param] for param in network.graph.params()}
    program = Program(make_plan(network.graph, weights, {"x": x["x"].shape}), 1)
    expected = run(network.graph, weights, x)["y"]
    assert program.run(x)["y"].tobytes() == expected.tobytes(), "whole numbers are exact"
    layer = {"conv": {"filters": m, "kernel": k, "pad": k // 2, "stride": stride, "group": groups}}
    floats = onnxconv.read({"inputs": {"x": f"float32[1, {c}, {side}, {side}]"}, "layers": [layer]})
    single, real = Program(make_plan(floats.graph, floats.weights, {"x": x["x"].shape}), 1), x["x"].astype(np.float32)
    return {
        OURS: lambda: program.run(x),
        FLOATS: lambda: single.run({"x": real}),
        "onnxruntime": lambda: session.run(None, x),
        DEFINITION: lambda: run(network.graph, weights, x),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds, after one warm-up")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    asked = parser.parse_args()
    on_processors(1)
    print(f"{preamble(1, asked.repeat, asked.clock)}\n")
    names = (OURS, FLOATS, "onnxruntime", DEFINITION)
    print(f"| channels, filters, side, taps, stride, groups | {' | '.join(f'{name} ms' for name in names)} |", end="")
    print(f" {' | '.join(f'÷ {name}' for name in names[1:])} |\n" + "|---" * 8 + "|", flush=True)
    for layer in LAYERS:
        seconds = rounds(contestants(*layer), asked.repeat, CLOCKS[asked.clock])
        told = [medians(seconds, name) for name in names] + [ratios(seconds, OURS, name) for name in names[1:]]
        print(f"| {', '.join(map(str, layer))} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
