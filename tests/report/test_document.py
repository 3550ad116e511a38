"""What a report says about graphs, checked against numbers worked out by hand."""

from __future__ import annotations

import json

import pytest

from onnxconv.errors import UsageError
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.network import Network
from onnxconv.ops import Add, BatchNorm, Conv, ConvTranspose, Dense, Flatten, GlobalAveragePool, MaxPool, Operator
from onnxconv.report import document


class Builder:
    """A graph built by hand, one node after the other."""

    def __init__(self, **inputs: tuple[int | str, ...]) -> None:
        self.types = {name: TensorType("float32", shape) for name, shape in inputs.items()}
        self.inputs = tuple(self.types.items())
        self.nodes: list[Node] = []

    def add(self, name: str, op: Operator, *inputs: str) -> None:
        shapes = [self.types[i].shape for i in inputs]
        self.types[name] = TensorType("float32", op.out_shape(*shapes))
        params = tuple(
            (role, Param(f"{name}.{role}", "float32", shape, Initial(f"{name}.{role}", shape)))
            for role, shape in op.weight_shapes(*shapes).items()
        )
        self.nodes.append(Node(name, op, inputs, name, self.types[name], params))

    def graph(self, *outputs: str) -> Graph:
        return Graph("hand", self.inputs, tuple(self.nodes), outputs)


def stem() -> Graph:
    """The first layers of ResNet-50, of which the contract shows the first."""
    b = Builder(x=("N", 3, 224, 224))
    b.add("stem", Conv((Axis(7, 2, 1, (3, 3)),) * 2, 64, bias=False), "x")
    b.add("pool", MaxPool((Axis(3, 2, 1, (1, 1)),) * 2), "stem")
    b.add("mean", GlobalAveragePool(), "pool")
    b.add("flat", Flatten(), "mean")
    b.add("fc", Dense(10), "flat")
    return b.graph("fc")


def test_keys_are_those_of_the_contract() -> None:
    report = document(stem(), "specs/stem.yaml")
    assert list(report) == [
        "source", "name", "digest", "inputs", "outputs", "layers", "totals", "unread", "advice",
        "sample_rate", "positions",
    ]  # fmt: skip
    assert list(report["inputs"][0]) == list(report["outputs"][0]) == ["name", "dtype", "shape"]
    layer = (
        "name op inputs output output_shape params macs valid_macs activation_bytes weight_bytes window receptive_field "
        "context"
    )
    assert all(list(entry) == layer.split() for entry in report["layers"])
    assert list(report["layers"][0]["window"][0]) == ["size", "stride", "dilation", "pad", "extent", "unused_end"]
    assert list(report["layers"][0]["receptive_field"]["x"]) == [
        "size",
        "stride",
        "padding",
        "samples",
        "aligned",
        "exact",
    ]
    amounts = ["params", "macs", "valid_macs", "weight_bytes", "peak_activation_bytes", "left_out"]
    assert list(report["totals"]) == amounts


def test_the_contracts_own_layer() -> None:
    report = document(stem(), "specs/stem.yaml")
    first = report["layers"][0]
    axis = {"size": 7, "stride": 2, "dilation": 1, "pad": [3, 3], "extent": 7, "unused_end": 0}
    assert first == {
        "name": "stem",
        "op": "Conv",
        "inputs": ["x"],
        "output": "stem",
        "output_shape": ["N", 64, 112, 112],
        "params": 9408,
        "macs": 118013952,
        # Per axis 2·(2+1) taps fall on padding at the beginning (outputs 0 and 1: 3 + 1) and 2 at the end.
        "valid_macs": 3 * 64 * (112 * 7 - 3 - 1 - 2) ** 2,
        "activation_bytes": 3211264,
        "weight_bytes": 37632,
        "window": [axis, axis],
        "receptive_field": {
            "x": {
                "size": [7, 7],
                "stride": [2, 2],
                "padding": [3, 3],
                "samples": [7, 7],
                "aligned": True,
                "exact": True,
            }
        },
        "context": {},
    }
    assert report["source"] == "specs/stem.yaml"
    assert report["digest"].startswith("sha256:")
    assert report["layers"][1]["receptive_field"]["x"]["size"] == [11, 11]
    assert report["totals"]["params"] == 9408 + 64 * 10 + 10


@pytest.mark.parametrize("layer", ["mean", "flat", "fc"])
def test_size_is_null_where_the_whole_input_is_seen(layer: str) -> None:
    (entry,) = [entry for entry in document(stem())["layers"] if entry["name"] == layer]
    field = {"size": None, "stride": None, "padding": None, "samples": None, "aligned": True, "exact": True}
    assert entry["receptive_field"] == {"x": field}
    assert entry["window"] == []


def test_dilation_leaves_holes_and_a_join_may_not_align() -> None:
    b = Builder(x=(1, 1, 33))
    b.add("a", Conv((Axis(3, 1, 6, (6, 6)),), 1), "x")
    b.add("b", Conv((Axis(3, 1, 1, (0, 2)),), 1), "x")
    b.add("sum", Add(), "a", "b")
    a, _, total = document(b.graph("sum"))["layers"]
    assert a["receptive_field"]["x"] == {
        "size": [13], "stride": [1], "padding": [6], "samples": [3], "aligned": True, "exact": True,
    }  # fmt: skip
    # {-6, 0, 6} and {0, 1, 2}: from -6 to 6, five different pixels, centres 0 and 1.
    assert total["receptive_field"]["x"] == {
        "size": [13], "stride": [1], "padding": [6], "samples": [5], "aligned": False, "exact": True,
    }  # fmt: skip


def test_paths_of_different_strides_have_no_one_stride() -> None:
    b = Builder(x=(1, 1, 8))
    b.add("half", Conv((Axis(2, 2),), 1), "x")
    b.add("quarter", Conv((Axis(2, 2),), 1), "half")
    b.add("up", ConvTranspose((TransposedAxis(2, 2),), 1), "x")
    b.add("pooled", MaxPool((Axis(4, 4),)), "up")
    b.add("sum", Add(), "half", "pooled")
    layers = {layer["name"]: layer for layer in document(b.graph("sum", "quarter"))["layers"]}
    assert layers["up"]["receptive_field"]["x"]["stride"] == ["1/2"]
    assert layers["sum"]["receptive_field"]["x"]["stride"] == [2]
    assert layers["up"]["window"] == [
        {"size": 2, "stride": 2, "dilation": 1, "pad": [0, 0], "output_pad": 0, "extent": 2, "unused_end": None}
    ]


def test_strides_that_differ_between_paths_are_null() -> None:
    b = Builder(x=(1, 1, 3))
    b.add("one", Conv((Axis(2, 1),), 1), "x")  # 2 outputs, stride 1
    b.add("two", Conv((Axis(1, 2),), 1), "x")  # 2 outputs, stride 2
    b.add("sum", Add(), "one", "two")
    field = document(b.graph("sum"))["layers"][-1]["receptive_field"]["x"]
    # Output 0 sees {0, 1} and {0}; output 1 sees {1, 2} and {2}.
    assert field == {"size": [2], "stride": [None], "padding": [0], "samples": [2], "aligned": False, "exact": True}


def test_unused_pixels_at_the_end_are_counted() -> None:
    b = Builder(x=(1, 1, 8, 7))
    b.add("c", Conv((Axis(3, 3), Axis(3, 2)), 1), "x")
    assert [axis["unused_end"] for axis in document(b.graph("c"))["layers"][0]["window"]] == [2, 0]


def test_what_a_symbolic_size_hides_is_null() -> None:
    b = Builder(x=("N", 3, "H", "W"))
    b.add("c", Conv((Axis(3, 2, 1, (1, 1)),) * 2, 8), "x")
    report = document(b.graph("c"))
    layer = report["layers"][0]
    assert layer["output_shape"] == ["N", 8, "(H+1)//2", "(W+1)//2"]
    assert [layer["macs"], layer["valid_macs"], layer["activation_bytes"]] == [None] * 3
    assert layer["params"] == 8 * 27 + 8
    assert [axis["unused_end"] for axis in layer["window"]] == [None, None]
    assert report["totals"]["macs"] is None
    assert layer["receptive_field"]["x"]["size"] == [3, 3]


def test_every_input_that_is_seen_has_a_field() -> None:
    b = Builder(left=(1, 2, 9), right=(1, 2, 9))
    b.add("l", Conv((Axis(3, pad=(1, 1)),), 2), "left")
    b.add("r", BatchNorm(), "right")
    b.add("sum", Add(), "l", "r")
    left, right, total = document(b.graph("sum"))["layers"]
    assert list(left["receptive_field"]) == ["left"]
    assert list(right["receptive_field"]) == ["right"]
    assert {name: field["size"] for name, field in total["receptive_field"].items()} == {"left": [3], "right": [1]}


def test_a_flattened_single_position_is_not_the_whole() -> None:
    """LeNet's last convolution: one position is left, and what it sees is known."""
    b = Builder(x=(1, 1, 9, 9))
    b.add("c", Conv((Axis(5, 4),) * 2, 4), "x")
    b.add("d", Conv((Axis(2),) * 2, 4), "c")
    b.add("flat", Flatten(), "d")
    assert document(b.graph("flat"))["layers"][-1]["receptive_field"]["x"]["size"] == [9, 9]


def test_two_reports_of_one_graph_are_equal_and_ready_for_json() -> None:
    assert json.dumps(document(stem())) == json.dumps(document(stem()))


def test_a_position_sees_what_is_worked_out_by_hand() -> None:
    b = Builder(x=(1, 1, 9, "W"))
    b.add("c", Conv((Axis(3, 1, 2, (2, 2)), Axis(3, 2, 1, (1, 1))), 1), "x")
    b.add("mean", GlobalAveragePool(), "c")
    network = Network(b.graph("mean"), {}, "hand")
    positions = network.report(at=[("c", (-1, 0)), ("mean", (0, 0))]).document["positions"]
    rows = {"field": [6, 10], "seen": [6, 8], "clipped": [0, 2], "samples": 2, "holes": [[7, 7]], "exact": True}
    columns = {"field": [-1, 1], "seen": [0, 1], "clipped": [1, None], "samples": 2, "holes": [], "exact": True}
    whole = {"field": None, "clipped": [0, 0], "holes": [], "exact": True}
    assert positions == [
        {"layer": "c", "position": [8, 0], "inputs": {"x": [rows, columns]}},
        {
            "layer": "mean",
            "position": [0, 0],
            "inputs": {"x": [{**whole, "seen": [0, 8], "samples": 9}, {**whole, "seen": None, "samples": None}]},
        },
    ]


def test_a_position_of_nothing_but_padding_sees_nothing() -> None:
    b = Builder(x=(1, 1, 4), z=(1, 1, 6))
    b.add("c", Conv((Axis(1, 1, 1, (1, 1)),), 1), "x")
    b.add("sum", Add(), "c", "z")
    (entry,) = Network(b.graph("sum"), {}, "hand").report(at=[("sum", (5,))]).document["positions"]
    nothing = {"field": [4, 4], "seen": None, "clipped": [0, 1], "samples": 0, "holes": [], "exact": True}
    itself = {"field": [5, 5], "seen": [5, 5], "clipped": [0, 0], "samples": 1, "holes": [], "exact": True}
    assert entry["inputs"] == {"x": [nothing], "z": [itself]}


def test_all_wrong_positions_are_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        Network(stem(), {}, "hand").report(at=[("stem", (112, -113)), ("pool", (1,)), ("stm", (0, 0))])
    first, second, third = refused.value.diagnostics
    assert "112 along spatial axis 0, which has 112 positions and -113 along spatial axis 1" in first.what
    assert first.fix == "the nearest is stem=111,-112"
    assert second.fix == "such as pool=28,28"
    assert third.code == "unknown-layer"


def test_what_is_too_much_to_follow_is_refused_by_arithmetic() -> None:
    b = Builder(x=(1, 1, 2**40))
    b.add("c", Conv((Axis(3, 1, 1, (1, 1)),), 1), "x")
    b.add("mean", GlobalAveragePool(), "c")
    network = Network(b.graph("mean"), {}, "hand")
    with pytest.raises(UsageError, match=r"1,099,511,627,776 pixels would have to be followed one by one"):
        network.report(at=[("mean", (0,))])
    (entry,) = network.report(at=[("c", (-1,))]).document["positions"]
    assert entry["inputs"]["x"][0]["seen"] == [2**40 - 2, 2**40 - 1]


def test_signals_are_told_in_samples_and_in_seconds() -> None:
    b = Builder(x=("N", 1, 4000))
    b.add("c", Conv((Axis(5, 4, 1, (2, 2)),), 1), "x")
    b.add("up", ConvTranspose((TransposedAxis(8, 8),), 1), "c")
    b.add("mean", GlobalAveragePool(), "up")
    layers = Network(b.graph("mean"), {}, "hand").report(sample_rate=8000).document["layers"]
    seconds = {
        "left": 0.00025,
        "right": 0.00025,
        "look_ahead": 0.00025,
        "latency": 0.000625,
        "hop": 0.0005,
        "rate": 2000,
    }
    assert layers[0]["context"]["x"] == {
        "left": 2, "right": 2, "look_ahead": 2, "latency": 5, "hop": 4, "seconds": seconds,
    }  # fmt: skip
    # Outputs 0 … 7 stand at samples 0, 0, 1, 1, 2, 2, 3, 3 and see samples -2 … 2, and so on every 4 samples.
    assert {**layers[1]["context"]["x"], "seconds": None} == {
        "left": 5, "right": 2, "look_ahead": 2, "latency": 2, "hop": "1/2", "seconds": None,
    }  # fmt: skip
    assert layers[2]["context"] == {"x": None}
