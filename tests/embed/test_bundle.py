"""What a bundle holds and refuses, whatever the target."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from embed.nets import NETS

import onnxconv
from onnxconv.embed import Need, Obstacle, Target, check, find
from onnxconv.errors import UsageError
from onnxconv.graph import Graph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return onnxconv.read(NETS["small"], seed=1).embed("python", tmp_path / "small", seed=1).folder


def test_every_file_is_accounted_for(folder: Path) -> None:
    told = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    every = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    there = {name: path for name, path in every.items() if name not in ("bundle.json", "SHA256SUMS")}
    assert there.keys() == told["files"].keys()
    for name, path in there.items():
        content = path.read_bytes()
        assert told["files"][name] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    listed = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert listed == {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in every.items() if n != "SHA256SUMS"}
    assert told["bytes"] == sum(path.stat().st_size for path in there.values())
    needed = ["interface.py", "model.onnx", "model.py", "requirements.txt"]
    assert told["product"] == {"bytes": sum(there[name].stat().st_size for name in needed), "files": needed}
    assert told["digest"] == onnxconv.read(NETS["small"]).graph.digest()
    assert (told["opset"], told["ir_version"]) == (17, 8)
    assert told["tolerances"]["proof"][told["outputs"][0]["name"]]["value"] == 0


def test_both_forms_of_the_golden_vectors_are_the_same_and_break_symmetry(folder: Path) -> None:
    golden = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in golden["sets"]] == ["model", "proof"]
    for one in golden["sets"]:
        assert (folder / one["model"]).is_file()
        for entry in one["inputs"] + one["outputs"]:
            raw = np.fromfile(folder / "golden" / entry["file"], "<" + np.dtype(entry["dtype"]).str[1:])
            array = raw.reshape(entry["shape"])
            proto = onnx.TensorProto()
            place = folder / "golden" / entry["file"]
            proto.ParseFromString((place.parent / "test_data_set_0" / f"{place.stem}.pb").read_bytes())
            assert proto.name == entry["name"]
            np.testing.assert_array_equal(onnx.numpy_helper.to_array(proto), array)
            for axis in range(array.ndim):
                assert not np.array_equal(np.flip(array, axis), array), "turned round, it is another array"
    (proof,) = (one for one in golden["sets"] if one["name"] == "proof")
    x = np.fromfile(folder / "golden" / proof["inputs"][0]["file"], "<f4")
    np.testing.assert_array_equal(x, np.rint(x))


def test_the_readme_has_both_numbers_and_says_which_was_taken(folder: Path) -> None:
    told = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["tolerances"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    ((output, model),) = told["model"].items()
    assert f"- `model`, `{output}`: {model['derived']:.3g}, derived (" in readme
    assert f"measured: {model['measured']:.3g}\n" in readme
    assert f"- `proof`, `{output}`: 0, derived (equality)\n" in readme
    sets = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"]
    assert [(one["outputs"][0]["tolerance"], one["outputs"][0]["basis"]) for one in sets] == [
        (model["value"], "derived"),
        (0, "derived"),
    ]


def test_means_over_counts_that_are_no_power_of_two_leave_the_twin_exact(tmp_path: Path) -> None:
    layers: list[object] = [
        {"conv": {"filters": 6, "kernel": 3}},
        "relu",
        {"average_pool": 3},
        {"conv": {"filters": 5, "kernel": 1}},
    ]
    spec = {"inputs": {"x": "float32[N, 3, 15, 13]"}, "layers": [*layers, "global_average_pool"]}
    made = onnxconv.read(spec, seed=1).embed("python", tmp_path / "b", seed=1).folder
    (found,) = json.loads((made / "bundle.json").read_text(encoding="utf-8"))["tolerances"]["proof"].values()
    assert (found["value"], found["basis"], found["derivation"]) == (0, "derived", "equality")
    told = check(made, find("python"))
    assert told.status == 0, told.said


def test_a_bundle_is_replaced_and_anything_else_kept(folder: Path, tmp_path: Path) -> None:
    (folder / "stale").write_text("of the bundle before")
    onnxconv.read(NETS["causal"]).embed("python", folder)
    assert json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["name"] == "causal"
    assert not (folder / "stale").exists()
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is no bundle"):
        onnxconv.read(NETS["causal"]).embed("python", other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    assert not list(tmp_path.glob(".onnxconv-*"))


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'python'"):
        find("pyhton")


def open_sizes(graph: Graph) -> Iterable[Obstacle]:
    for name, type in graph.inputs:
        if any(isinstance(n, str) for n in type.shape):
            yield Obstacle(
                "", f"takes fixed sizes only, and input {name!r} has the shape {list(type.shape)}", "fixed-sizes"
            )


def test_what_a_target_cannot_take_is_told_and_adapted_if_asked(tmp_path: Path) -> None:
    target = replace(find("python"), title="Fixed", obstacles=open_sizes)
    network = onnxconv.read(NETS["small"])
    with pytest.raises(UsageError, match=r"Fixed takes fixed sizes only(.|\n)*--adapt: one image") as refused:
        network.embed(target, tmp_path / "b")
    assert len(refused.value.diagnostics) == 1
    assert not (tmp_path / "b").exists()
    made = network.embed(target, tmp_path / "b", adapt=True)
    assert [str(change) for change in made.changed] == [
        "fixed-sizes: one image, and a number for every size that is open"
    ]
    told = json.loads((made.folder / "bundle.json").read_text(encoding="utf-8"))
    assert [change["rewrite"] for change in told["changed"]] == ["fixed-sizes"]
    assert told["inputs"][0]["shape"] == [1, 3, 12, 10]


def test_what_cannot_be_adapted_is_refused(tmp_path: Path) -> None:
    def never(graph: Graph) -> Iterable[Obstacle]:
        yield from open_sizes(graph)
        yield Obstacle(graph.nodes[0].name, "has no convolutions")

    target = replace(find("python"), obstacles=never)
    with pytest.raises(UsageError, match="has no convolutions"):
        onnxconv.read(NETS["small"]).embed(target, tmp_path / "b", adapt=True)
    assert not (tmp_path / "b").exists()


def test_a_check_that_cannot_run_says_what_is_missing(folder: Path) -> None:
    target: Target = replace(find("python"), needs=(Need("a flux capacitor", "build one", program="no-such-program"),))
    found = check(folder, target)
    assert found.status == 2
    assert "a flux capacitor is missing" in found.said
    assert "build one" in found.said


def test_a_program_that_dies_has_not_passed(folder: Path) -> None:
    found = check(folder, replace(find("python"), check=("{python}", "-c", "import os; os.abort()")))
    assert found.status == 1
    assert "ended with status" in found.said


def test_arrays_that_no_runner_reads_are_refused(tmp_path: Path) -> None:
    network = onnxconv.read(NETS["lopsided"], dtype="bfloat16")
    with pytest.raises(UsageError, match="without bfloat16, which 'x' is of"):
        network.embed("python", tmp_path / "b", adapt=True)
    assert not (tmp_path / "b").exists()


def test_outputs_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    layers: list[object] = [{"conv": {"filters": 2, "kernel": 1}}, "relu", "log"]
    network = onnxconv.read({"inputs": {"x": "float32[N, 3, 4, 5]"}, "layers": layers}, seed=1)
    with pytest.raises(UsageError, match=r"output 'log': \d+ of 80 numbers are not finite"):
        network.embed("python", tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("name", "told"), [("a\nb", "'a\\nb'"), (" a", "' a'"), ("a" * 256, "'aaa")])
def test_names_that_a_line_cannot_tell_are_refused_where_lines_are_read(name: str, told: str) -> None:
    graph = onnxconv.read(NETS["lopsided"]).graph
    (_, type), (node,) = graph.inputs[0], graph.nodes
    odd = replace(graph, inputs=((name, type),), nodes=(replace(node, inputs=(name,)),))
    (found,) = find("ort-c").obstacles(odd)
    assert told in found.reason
    assert not list(find("ort-c").obstacles(graph))


def test_a_byte_changed_anywhere_is_told_with_the_name_of_the_file(folder: Path) -> None:
    changed = runpy.run_path(str(folder / "check.py"))["changed"]
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    assert len(files) > 12
    assert changed() == []
    for name, file in files.items():
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"\0")
        (found,) = changed()
        file.write_bytes(content)
        assert name in found
    (folder / "SHA256SUMS").write_text("")
    assert "SHA256SUMS" in check(folder, find("python")).said
