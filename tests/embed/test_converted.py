"""Files that a runtime's own converter makes: what becomes of its refusals, and of its absence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from embed.nets import NETS

import onnxconv
from onnxconv.embed import Need, Target, find
from onnxconv.embed.targets.shared.compiled import COMPILE, SOURCES, compiling
from onnxconv.errors import NotAvailable, UsageError


def compiled_by(folder: Path, body: str, needs: tuple[Need, ...] = ()) -> Target:
    """A target whose ``compiler.py`` is `body`."""
    folder.mkdir()
    (folder / "compiler.py").write_text(f"def compiled(file, processor, folder):\n    {body}\n", encoding="utf-8")
    convert = compiling("Mine", needs, "numpy", "onnx")
    return replace(find("python"), files=(COMPILE, folder), convert=convert, checking=SOURCES)


def test_what_was_compiled_is_written_down(tmp_path: Path) -> None:
    target = compiled_by(tmp_path / "files", "(folder / f'{file.stem}.bin').write_text(processor)")
    made = onnxconv.read(NETS["lopsided"]).embed(target, tmp_path / "b").folder
    told = json.loads((made / "bundle.json").read_text(encoding="utf-8"))
    assert told["product"]["files"] == ["model.bin", "requirements.txt"]
    assert (made / "model.bin").read_text() == told["compiled"]["processor"]
    assert f"onnx=={told['made_with']['onnx']}" in (made / "requirements.txt").read_text()
    assert not list(made.glob("__pycache__")), "a bundle is the same bytes every time"


def test_a_model_that_the_compiler_refuses_is_a_mistake_and_nothing_is_written(tmp_path: Path) -> None:
    target = compiled_by(tmp_path / "files", "raise RuntimeError('noise\\nerror: no such layer\\nmore noise')")
    with pytest.raises(UsageError, match=r"Mine does not convert this model: model\.onnx: RuntimeError: no such layer"):
        onnxconv.read(NETS["lopsided"]).embed(target, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_without_the_compiler_nothing_is_written(tmp_path: Path) -> None:
    absent = Need("a compiler", "get one", module="no_such_package.compiler")
    target = compiled_by(tmp_path / "files", "pass", (absent,))
    with pytest.raises(NotAvailable, match=r"a compiler is missing(.|\n)*get one"):
        onnxconv.read(NETS["lopsided"]).embed(target, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("name", "x", "layer", "rewrites"),
    [
        (
            "iree",
            "2, 5, 5",
            {"conv_transpose": {"filters": 2, "kernel": 3, "pad": [[0, 1], [0, 0]]}},
            ["explicit-pads"],
        ),
        ("litert", "2, 5, 5", {"max_pool": {"kernel": 2, "dilation": 2}}, ["max-of-slices"]),
        ("litert", "2, 5, 5", {"average_pool": {"kernel": 2, "dilation": 2}}, ["sums-for-averages"]),
        ("litert", "4, 9", {"conv": {"filters": 6, "kernel": 3, "group": 2}}, ["split-groups"]),
        ("litert", "4, 9", {"conv": {"filters": 4, "kernel": 3, "group": 4}}, []),
        ("litert", "4, 5, 5, 5", {"conv_transpose": {"filters": 4, "kernel": 2, "group": 2}}, ["split-groups"]),
    ],
)
def test_what_a_converter_cannot_take_has_a_way_round(
    name: str, x: str, layer: dict[str, dict[str, object]], rewrites: list[str]
) -> None:
    network = onnxconv.read({"inputs": {"x": f"float32[1, {x}]"}, "layers": [layer]}, seed=1)
    found = list(find(name).obstacles(network.graph))
    assert [one.rewrite for one in found] == rewrites
    assert [one.layer for one in found] == [network.graph.nodes[0].name] * len(found)
