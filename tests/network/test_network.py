"""The library's doors: one network value, whatever the source, and a package that is cheap to import."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxconv
from onnxconv.errors import NotAvailable, OnnxconvError, SpecError, UsageError
from onnxconv.graph import Graph
from onnxconv.network import Network
from onnxconv.spec import parse
from onnxconv.weights import seeded

SPEC: dict[str, Any] = {
    "name": "tiny",
    "parameters": {"classes": 4},
    "inputs": {"x": "float32[N, 2, 6, 6]"},
    "layers": [{"conv": {"filters": 3, "kernel": 3}}, "relu", "flatten", {"dense": "classes", "name": "y"}],
}
TEXT = """\
name: tiny
parameters: {classes: 4}
inputs: {x: "float32[N, 2, 6, 6]"}
layers: [{conv: {filters: 3, kernel: 3}}, relu, flatten, {dense: classes, name: y}]
"""


def sources(folder: Path) -> dict[str, Any]:
    """The same network by every way to name it."""
    path = folder / "tiny.yaml"
    path.write_text(TEXT, encoding="utf-8")
    network = onnxconv.read(SPEC)
    return {
        "dict": SPEC,
        "path": path,
        "text path": str(path),
        "spec": onnxconv.parse(TEXT),
        "graph": network.graph,
        "network": network,
        "model": network.build(folder / "tiny.onnx"),
    }


@pytest.mark.parametrize("kind", ["dict", "path", "text path", "spec", "graph", "network", "model"])
def test_every_source_gives_the_same_network(tmp_path: Path, kind: str) -> None:
    expected, found = onnxconv.read(SPEC), onnxconv.read(sources(tmp_path)[kind])
    assert [(n.op, n.inputs, n.output) for n in found.graph.nodes] == [
        (n.op, n.inputs, n.output) for n in expected.graph.nodes
    ]
    outputs, reference = found.run(), expected.run()
    assert list(outputs) == ["y"]
    assert (outputs["y"] == reference["y"]).all()


def test_six_lines_of_a_notebook(tmp_path: Path) -> None:
    network = onnxconv.read(SPEC)
    table = network.report()
    outputs = network.run({"x": np.ones((2, 2, 6, 6), np.float32)})
    verification = network.verify()
    path = network.build(tmp_path / "tiny.onnx")
    assert str(table).startswith("tiny")
    assert outputs["y"].shape == (2, 4)
    assert verification.verdict == "pass"
    onnx.checker.check_model(str(path), full_check=True)


def test_functions_are_doors_to_the_same(tmp_path: Path) -> None:
    network = onnxconv.read(SPEC, seed=3)
    assert onnxconv.report(SPEC) == network.report()
    assert (onnxconv.run(SPEC, seed=3)["y"] == network.run(seed=3)["y"]).all()
    path = onnxconv.build(SPEC, tmp_path / "a.onnx", seed=3, opset=18, set={"classes": 5}, dtype="float64")
    model = onnx.load(path)
    assert model.opset_import[0].version == 18
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 5
    assert onnxconv.run(SPEC, set={"classes": 2}, input_shapes={"x": (3, 2, 6, 6)})["y"].shape == (3, 2)
    assert onnxconv.verify(SPEC, probes=["shape"], set={"classes": 2}).checks[0].finding.elements == 4
    found = onnxconv.verify(SPEC, probes=["shape"])
    assert (found.verdict, [check.probe for check in found.checks]) == ("pass", ["shape"])
    assert isinstance(onnxconv.resolve(onnxconv.parse(TEXT)), Graph)


def test_a_network_is_frozen() -> None:
    network = onnxconv.read(SPEC)
    assert dataclasses.is_dataclass(network)
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.source = "other"  # type: ignore[misc]


def test_options_of_reading() -> None:
    assert onnxconv.read(SPEC, set={"classes": 9}).graph.nodes[-1].type.shape == ("N", 9)
    assert onnxconv.read(SPEC, input_shapes={"x": (5, 2, 8, 8)}).graph.nodes[0].type.shape == (5, 3, 6, 6)
    doubled = onnxconv.read(SPEC, dtype="float64")
    assert {t.dtype for t in doubled.graph.types().values()} == {"float64"}
    assert {p.dtype for p in doubled.graph.params()} == {"float64"}
    assert doubled.run()["y"].dtype == np.float64


def test_weights_may_be_given_as_arrays() -> None:
    plain = onnxconv.read(SPEC)
    arrays = {param.name: np.zeros(param.shape, np.float32) for param in plain.graph.params()}
    assert not onnxconv.read(SPEC, weights=arrays).run()["y"].any()
    assert plain.run()["y"].any()


def test_a_seed_draws_other_weights() -> None:
    x = {"x": np.ones((1, 2, 6, 6), np.float32)}
    one, same, other = (onnxconv.read(SPEC, seed=seed).run(x)["y"] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_model_keeps_its_own_weights_in_another_type(tmp_path: Path) -> None:
    path = onnxconv.read(SPEC, seed=7).build(tmp_path / "m.onnx")
    x = np.ones((1, 2, 6, 6))
    wide = onnxconv.read(path, dtype="float64").run({"x": x})["y"]
    narrow = onnxconv.read(path).run({"x": x.astype(np.float32)})["y"]
    assert wide.dtype == np.float64
    assert np.allclose(wide, narrow, rtol=1e-5)


def test_given_inputs_decide_a_symbolic_batch_for_the_others() -> None:
    spec = {
        "inputs": {"a": "float32[N, 1, 4]", "b": "float32[N, 1, 4]"},
        "layers": [{"add": ["a", "b"]}],
    }
    (y,) = onnxconv.run(spec, {"a": np.zeros((3, 1, 4), np.float32)}).values()
    assert y.shape == (3, 1, 4)


def test_another_runtime_gets_the_emitted_model() -> None:
    network = onnxconv.read(SPEC)
    x = {"x": np.ones((1, 2, 6, 6), np.float32)}
    ours, theirs = network.run(x, every_tensor=True), network.run(x, runtime="onnx-reference", every_tensor=True)
    assert list(ours) == list(theirs) == ["conv", "relu", "flatten", "y"]
    assert all(np.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float23"}, "float23"),
        ({"dtype": "int8"}, "float32"),
        ({"set": {"clases": 3}}, "did you mean 'classes'?"),
        ({"input_shapes": {"z": (1, 2, 6, 6)}}, "z"),
        ({"input_shapes": {"x": (1, 2, 1, 6)}}, "does not fit"),
        ({"weights": {"y.weight": np.zeros((4, 48), np.float32)}}, "conv.weight"),
        ({"weights": "no/such/file.npz"}, "file.npz"),
    ],
    ids=str,
)
def test_wrong_options_are_diagnosed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OnnxconvError) as raised:
        onnxconv.read(SPEC, **options).run()
    assert words in str(raised.value)


@pytest.mark.parametrize("kind", ["spec", "graph", "network", "model"])
def test_what_is_finished_cannot_be_set(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match="cannot change what is finished"):
        onnxconv.read(sources(tmp_path)[kind], set={"classes": 3})


OPEN: dict[str, Any] = {
    "inputs": {"x": "float32[N, 2, H, W]"},
    "layers": [{"conv": {"filters": 3, "kernel": 3, "stride": 2, "pad": 1}}, "global_average_pool"],
}


@pytest.mark.parametrize("kind", ["network", "graph", "model"])
def test_open_sizes_of_what_is_finished_can_be_given(tmp_path: Path, kind: str) -> None:
    network = onnxconv.read(OPEN)
    source = {"network": network, "graph": network.graph, "model": network.build(tmp_path / "m.onnx")}[kind]
    sized = onnxconv.read(source, input_shapes={"x": ("N", 2, 9, 12)})
    assert [node.type.shape for node in sized.graph.nodes] == [("N", 3, 5, 6), ("N", 3, 1, 1)]
    direct = onnxconv.read(OPEN, input_shapes={"x": ("N", 2, 9, 12)})
    found, expected = sized.report().document, direct.report().document
    assert found["totals"] == expected["totals"]
    assert (sized.run()["global_average_pool"] == direct.run()["global_average_pool"]).all()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 2, 9), "cannot become [1, 2, 9]"),
        ((1, 3, 9, 9), "give x=1,2,9,9"),
        ((1, 2, 9, 9, 9), "cannot become"),
    ],
    ids=str,
)
def test_known_sizes_of_what_is_finished_stay(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        onnxconv.read(onnxconv.read(OPEN), input_shapes={"x": shape})
    assert words in str(raised.value)


def test_one_symbol_is_one_size() -> None:
    both = {"inputs": {"a": "float32[N, 1, L]", "b": "float32[N, 1, L]"}, "layers": [{"add": ["a", "b"]}]}
    network = onnxconv.read(both)
    assert onnxconv.read(network, input_shapes={"a": ("N", 1, 5)}).graph.nodes[0].type.shape == ("N", 1, 5)
    with pytest.raises(UsageError, match="each symbol is one size"):
        onnxconv.read(network, input_shapes={"a": ("N", 1, 5), "b": ("N", 1, 6)})


def test_a_size_that_does_not_fit_is_placed() -> None:
    spec = {"inputs": {"x": "float32[N, 2, H]"}, "layers": [{"conv": {"filters": 3, "kernel": 7}}]}
    with pytest.raises(OnnxconvError, match="does not fit into 4 pixels"):
        onnxconv.read(onnxconv.read(spec), input_shapes={"x": (1, 2, 4)})


def program(text: str) -> str:
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = program(
        "import onnxconv, sys; print(*(m for m in sys.modules if m.startswith(('onnx', 'numpy', 'click'))))"
    )
    assert loaded.split() == ["onnxconv"]


@pytest.mark.parametrize("room", ["resolve", "verify", "report"])
def test_a_door_stays_open_when_the_room_of_its_name_is_imported(room: str) -> None:
    program(
        f"import onnxconv, onnxconv.{room}, onnxconv.network, sys\n"
        f"assert onnxconv.{room} is onnxconv.network.{room}\n"
        f"from onnxconv.{room} import __all__ as names\n"
        f"assert names and sys.modules['onnxconv.{room}'].__all__ is names\n"
    )


def test_the_package_lists_its_doors() -> None:
    assert set(onnxconv.__all__) <= set(dir(onnxconv))
    assert all(getattr(onnxconv, name) for name in onnxconv.__all__)
    with pytest.raises(AttributeError):
        onnxconv.nonesuch  # noqa: B018


def test_the_network_of_a_graph_draws_its_weights() -> None:
    graph = onnxconv.read(SPEC).graph
    assert onnxconv.read(graph, seed=2) == Network(graph, seeded(2), "tiny")


def test_mistakes_in_words_and_in_sizes_are_told_together() -> None:
    """A misspelt attribute does not hide groups that do not divide; what depends on the misspelt layer is not guessed at."""
    text = {
        "inputs": {"x": "float32[N, 64, 8, 8]"},
        "layers": [
            {"conv": {"filters": 63, "kernel": 3, "group": 3}, "name": "first"},
            {"conv": {"filters": 8, "kernal": 3}, "from": "x", "name": "second"},
            {"max_pool": 99},
            {"max_pool": 9, "from": "x"},
        ],
    }
    with pytest.raises(OnnxconvError) as caught:
        onnxconv.read(text)
    assert sorted(d.code for d in caught.value.diagnostics) == ["empty-output", "groups", "missing", "unknown-key"]


BAD_SPECS = Path(__file__).parents[1] / "spec" / "bad"


@pytest.mark.parametrize("name", sorted(p.name for p in BAD_SPECS.iterdir() if p.suffix in (".yaml", ".json")))
def test_what_can_be_made_out_of_a_bad_spec_is_looked_at_without_a_crash(name: str) -> None:
    with pytest.raises(SpecError) as alone:
        parse((BAD_SPECS / name).read_text("utf-8"), str(BAD_SPECS / name))
    with pytest.raises(SpecError) as whole:
        onnxconv.read(BAD_SPECS / name)
    assert {d.code for d in alone.value.diagnostics} <= {d.code for d in whole.value.diagnostics}


def test_what_no_machine_can_hold_is_refused_before_memory_is_touched() -> None:
    """400 million filters of 64 · 9 float32 numbers are 0.9 TB; a report of them takes no memory at all."""
    conv = {"filters": 400_000_000, "kernel": 3}
    spec = {"inputs": {"x": "float32[1, 64, 3, 3]"}, "layers": [{"conv": conv}]}
    assert onnxconv.report(spec).document["totals"]["weight_bytes"] > 9 * 10**11
    for act in (onnxconv.run, onnxconv.verify):
        with pytest.raises(NotAvailable, match="bytes to hold the weights"):
            act(spec)
