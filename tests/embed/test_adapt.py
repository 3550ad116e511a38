"""Rewrites: the same network, told with its layers, and refused where they fit nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from embed.nets import NETS

import onnxconv
from onnxconv.embed import REWRITES, Obstacle, check, find
from onnxconv.embed.adapt import Adapted, adapted
from onnxconv.embed.rewrite import Site
from onnxconv.emit import fitting, to_fitting_bytes
from onnxconv.errors import UsageError
from onnxconv.graph import Graph
from onnxconv.ops import Conv, Pad
from onnxconv.weights import Weights, given

FLAT, LINE, VOLUME = "float32[2, 4, 9, 8]", "float32[2, 4, 13]", "float32[1, 4, 6, 5, 7]"

LAYERS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "explicit-pads",
        FLAT,
        {"conv": {"filters": 6, "kernel": [3, 2], "stride": 2, "pad": [[2, 0], [0, 1]], "group": 2}},
    ),
    ("explicit-pads", LINE, {"conv": {"filters": 3, "kernel": 3, "dilation": 2, "pad": "causal"}}),
    ("explicit-pads", FLAT, {"conv_transpose": {"filters": 6, "kernel": 3, "stride": 2, "pad": [[1, 0], [0, 2]]}}),
    ("explicit-pads", FLAT, {"conv_transpose": {"filters": 2, "kernel": 2, "stride": 3, "output_pad": [2, 1]}}),
    ("explicit-pads", FLAT, {"conv_transpose": {"filters": 2, "kernel": 3, "stride": 2, "pad": 1, "output_pad": 1}}),
    ("explicit-pads", FLAT, {"max_pool": {"kernel": 3, "stride": 2, "pad": [[2, 0], [0, 1]]}}),
    ("explicit-pads", FLAT, {"max_pool": {"kernel": 2, "dilation": 3, "stride": 1, "pad": [[2, 0], [0, 1]]}}),
    ("explicit-pads", FLAT, {"average_pool": {"kernel": 4, "pad": [[2, 0], [0, 1]], "count_include_pad": True}}),
    ("split-groups", FLAT, {"conv": {"filters": 6, "kernel": 3, "group": 2, "pad": 1}}),
    ("split-groups", LINE, {"conv_transpose": {"filters": 8, "kernel": 3, "stride": 2, "group": 4, "bias": False}}),
    ("split-groups", VOLUME, {"conv_transpose": {"filters": 6, "kernel": 2, "stride": 2, "group": 2}}),
    ("windowed-global-pools", VOLUME, {"global_average_pool": {}}),
    ("windowed-global-pools", LINE, {"global_max_pool": {}}),
    ("sums-for-averages", FLAT, {"average_pool": {"kernel": 3, "stride": 2, "pad": [[1, 0], [0, 1]]}}),
    ("sums-for-averages", FLAT, {"average_pool": {"kernel": 3, "stride": 2, "ceil": True}}),
    ("sums-for-averages", FLAT, {"average_pool": {"kernel": 4, "pad": 1, "count_include_pad": True}}),
    ("sums-for-averages", FLAT, {"average_pool": {"kernel": 2, "dilation": 2}}),
    ("max-of-slices", FLAT, {"max_pool": {"kernel": [2, 3], "dilation": [3, 2], "stride": [1, 2]}}),
    ("max-of-slices", LINE, {"max_pool": {"kernel": 3, "dilation": 2, "stride": 2}}),
]


def network(x: str, *layers: object) -> tuple[Graph, Weights]:
    """A network with integers for weights."""
    made = onnxconv.read({"inputs": {"x": x}, "layers": list(layers)})
    draw = np.random.default_rng(5)
    return made.graph, given({p.name: draw.integers(-4, 5, p.shape).astype("float32") for p in made.graph.params()})


def computed(graph: Graph, weights: Weights, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The output, by onnxruntime."""
    content = to_fitting_bytes(graph, weights)
    (y,) = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, inputs)
    return np.asarray(y)


@pytest.mark.parametrize(("name", "x", "layer"), LAYERS)
def test_another_runtime_finds_no_difference_on_integers(name: str, x: str, layer: dict[str, Any]) -> None:
    graph, weights = network(x, layer)
    found = Adapted(graph, weights).by(name, None)
    assert found.changes[0].layers == (graph.nodes[-1].name,)
    assert found.graph.nodes[-1].op != graph.nodes[-1].op
    shape = tuple(int(n) for n in graph.inputs[0][1].shape)
    inputs = {"x": np.random.default_rng(7).integers(-9, 10, shape).astype("float32")}
    before, after = computed(graph, weights, inputs), computed(found.graph, found.weights, inputs)
    np.testing.assert_array_equal(after, before)
    assert np.ptp(before) > 0


def test_all_rewrites_one_after_the_other(tmp_path: Path) -> None:
    """Of a model that was read back, with constants in it."""
    layers = [
        {"conv": {"filters": 6, "kernel": 3, "group": 2, "pad": [[1, 0], [0, 1]], "bias": False}},
        {"max_pool": {"kernel": 2, "pad": [[1, 0], [0, 0]]}},
        {"average_pool": {"kernel": 2, "pad": [[0, 1], [0, 0]]}},
        "batch_norm",
        {"conv_transpose": {"filters": 2, "kernel": 2, "group": 2}},
        {"conv": {"filters": 3, "kernel": 1}},
        "batch_norm",
        "global_max_pool",
    ]
    onnxconv.read({"inputs": {"x": "float32[N, 4, 9, 8]"}, "layers": layers}, seed=3).build(tmp_path / "m.onnx")
    made = onnxconv.read(tmp_path / "m.onnx").embed("python", tmp_path / "b", rewrites=[*REWRITES], seed=1)
    assert [change.rewrite for change in made.changed] == [*REWRITES]
    assert check(made.folder, find("python")).status == 0


def test_a_rewrite_leaves_symbolic_sizes_open() -> None:
    graph, weights = network("float32[N, 4, H, 8]", LAYERS[0][2], {"max_pool": {"kernel": 3, "pad": [[2, 0], [0, 1]]}})
    found = Adapted(graph, weights).by("explicit-pads", None)
    assert [node.op.kind for node in found.graph.nodes] == ["Pad", "Conv", "Pad", "MaxPool"]
    assert found.graph.types()[found.graph.outputs[0]] == graph.types()[graph.outputs[0]]


def test_a_rewrite_that_makes_another_layer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxconv.embed import adapt

    def mistaken(site: Site) -> None:
        """Begin and end exchanged."""
        op = site.node.op
        assert isinstance(op, Conv)
        padded = site.add("pad", Pad(tuple(a.pad[::-1] for a in op.window)), site.x)
        site.finish(replace(op, window=tuple(replace(a, pad=(0, 0)) for a in op.window)), padded)

    graph, weights = network(*LAYERS[0][1:])
    monkeypatch.setitem(
        adapt.__dict__, "REWRITES", {"explicit-pads": replace(REWRITES["explicit-pads"], of=adapt._layerwise(mistaken))}
    )
    with pytest.raises(AssertionError, match="another layer"):
        Adapted(graph, weights).by("explicit-pads", None)


def narrow(graph: Graph) -> Iterator[Obstacle]:
    """A target with neither groups nor lopsided pads."""
    for node in graph.nodes:
        if isinstance(node.op, Conv) and node.op.groups > 1:
            yield Obstacle(node.name, "has no groups", "split-groups")
        if isinstance(node.op, Conv) and any(a.pad[0] != a.pad[1] for a in node.op.window):
            yield Obstacle(node.name, "pads both ends alike", "explicit-pads")


def test_the_layer_the_reason_and_the_way_round_are_told_and_taken_if_asked(tmp_path: Path) -> None:
    target = replace(find("python"), title="Narrow", obstacles=narrow)
    source = onnxconv.read(NETS["lopsided"], seed=1)
    with pytest.raises(UsageError) as refused:
        source.embed(target, tmp_path / "b")
    assert [str(found).splitlines() for found in refused.value.diagnostics] == [
        ["layer 'conv': Narrow has no groups [target]", "    fix: --adapt: a convolution for each group"],
        [
            "layer 'conv': Narrow pads both ends alike [target]",
            "    fix: --adapt: padding, and cropping, as layers of their own",
        ],
    ]
    made = source.embed(target, tmp_path / "b", adapt=True, seed=1)
    told = json.loads((made.folder / "bundle.json").read_text(encoding="utf-8"))
    assert [change["rewrite"] for change in told["changed"]] == ["split-groups", "explicit-pads"]
    assert told["changed"][0]["layers"] == ["conv"]
    assert "on integers" in told["changed"][0]["proof"]
    assert told["digest_before"] == source.graph.digest() != told["digest"]
    plain = source.embed("python", tmp_path / "plain", seed=1).folder
    expected = (plain / "golden" / "model" / "output_0.bin").read_bytes()
    assert (made.folder / "golden" / "model" / "output_0.bin").read_bytes() == expected, "the network's before"
    assert check(made.folder, target).status == 0


NORMED = [
    {"conv": {"filters": 6, "kernel": 3, "bias": False}},
    "batch_norm",
    "relu",
    {"conv_transpose": {"filters": 4, "kernel": 3, "stride": 2, "group": 2}},
    {"batch_norm": {}, "name": "second"},
    {"batch_norm": {}, "name": "third"},
]


def test_a_folded_batch_norm_is_told_with_its_difference(tmp_path: Path) -> None:
    source = onnxconv.read({"inputs": {"x": "float32[N, 4, 9, 8]"}, "layers": NORMED}, seed=3)
    made = source.embed("python", tmp_path / "b", rewrites=["fold-batch-norm"], seed=3)
    (change,) = json.loads((made.folder / "bundle.json").read_text(encoding="utf-8"))["changed"]
    assert change["layers"] == ["batch_norm", "second"], "the third has no convolution before it"
    told = json.loads((made.folder / "bundle.json").read_text(encoding="utf-8"))
    assert 0 < change["difference"]["third"] < told["tolerances"]["model"]["third"]["value"]
    assert check(made.folder, find("python")).status == 0


def test_a_folded_batch_norm_is_that_of_another_runtime() -> None:
    """Powers of two and integers, on which nothing rounds, but for the variance's root: √(4 + ε) with ε < 2^-24 · 4."""
    source = onnxconv.read(
        {
            "inputs": {"x": "float32[2, 4, 9, 8]"},
            "layers": [
                {"conv_transpose": {"filters": 4, "kernel": 3, "stride": 2, "group": 2}},
                {"batch_norm": {"epsilon": 1e-9}},
            ],
        }
    )
    draw = np.random.default_rng(5)
    arrays = {p.name: draw.integers(-4, 5, p.shape).astype("float32") for p in source.graph.params()}
    arrays["batch_norm.running_var"] = np.float32([4, 16, 1, 64])
    found = Adapted(source.graph, given(arrays)).by("fold-batch-norm", None)
    assert [node.op.kind for node in found.graph.nodes] == ["ConvTranspose"]
    inputs = {"x": draw.integers(-9, 10, (2, 4, 9, 8)).astype("float32")}
    before = computed(source.graph, given(arrays), inputs)
    np.testing.assert_array_equal(computed(found.graph, found.weights, inputs), before)


def test_a_batch_norm_whose_input_others_read_stays() -> None:
    layers = [{"conv": {"filters": 4, "kernel": 1}, "name": "c"}, {"add": [["batch_norm"], []]}]
    graph, weights = network(FLAT, *layers)
    found = Adapted(graph, weights)
    assert found.by("fold-batch-norm", None) is found


def test_a_rewrite_by_name_must_be_one_and_fit() -> None:
    graph, weights = network(FLAT, "relu")
    with pytest.raises(UsageError, match="did you mean 'split-groups'"):
        adapted(graph, weights, find("python"), rewrites=["split-group"])
    with pytest.raises(UsageError, match="'split-groups' fits no layer"):
        adapted(graph, weights, find("python"), rewrites=["split-groups"])


@pytest.mark.parametrize(
    ("name", "x", "layer"), [case for case in LAYERS if case[0] in ("sums-for-averages", "max-of-slices")]
)
def test_what_ncnn_cannot_take_has_a_way_round(name: str, x: str, layer: dict[str, Any]) -> None:
    graph, weights = network(x.replace("[2", "[1"), layer)
    target = find("ncnn")
    obstacles = list(target.obstacles(graph))
    if layer[next(iter(layer))].get("count_include_pad"):
        assert not obstacles
        return
    assert [found.rewrite for found in obstacles] == [name]
    assert adapted(graph, weights, target, adapt=True).changes[-1].rewrite == name


def test_means_as_sums_need_no_late_opset() -> None:
    graph, weights = network(FLAT, {"average_pool": {"kernel": 2, "dilation": 2}})
    assert fitting(graph).opset > 17
    assert fitting(Adapted(graph, weights).by("sums-for-averages", None).graph).opset == 17
