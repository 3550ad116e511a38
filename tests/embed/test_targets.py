"""Every target that can be checked here: bundles pass in its own program, and a byte that is flipped anywhere fails there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from embed.nets import NEEDY, NETS

import onnxconv
from onnxconv.embed import Target, check, find, names
from onnxconv.embed.bundle import LISTED, sign
from onnxconv.errors import UsageError

SPECS = Path(__file__).parents[2] / "specs"

EVERYWHERE = ("python",)
"""Targets that need nothing but what onnxconv itself needs."""

HERE = [
    pytest.param(name, marks=[] if name in EVERYWHERE else [pytest.mark.extra(name), pytest.mark.slow])
    for name in names()
]


def ready(name: str) -> Target:
    target = find(name)
    if lacking := target.missing():
        pytest.skip("; ".join(f"{need.what} is missing: {need.fix}" for need in lacking))
    return target


def bundle(target: Target, net: str, folder: Path) -> Path:
    return onnxconv.read(NETS[net], seed=1).embed(target, folder / net, adapt=True, seed=1).folder


def signed_again(folder: Path) -> None:
    """The bundle after a change, accounted for as if it had been made so."""
    facts = json.loads((folder / LISTED).read_text(encoding="utf-8"))
    sign(folder, {key: value for key, value in facts.items() if key not in ("bytes", "files")})


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", HERE)
def test_a_bundle_passes_where_it_will_live(name: str, net: str, tmp_path: Path) -> None:
    target = ready(name)
    found = check(bundle(target, net, tmp_path), target)
    assert (found.status, found.said.splitlines()[-1]) == (0, "ok"), found.said
    assert "proof" in found.said
    assert found.start_up["first_run_ms"] is not None
    assert (found.start_up["load_ms"] is None) == (name == "c"), "only C has nothing to load"


@pytest.mark.parametrize("name", HERE)
def test_a_changed_file_is_named(name: str, tmp_path: Path) -> None:
    target = ready(name)
    folder = bundle(target, "lopsided", tmp_path)
    listed = json.loads((folder / LISTED).read_text(encoding="utf-8"))["files"]
    for file in (next(f for f in listed if f.startswith("model")), "golden/proof/output_0.bin", LISTED):
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        found = check(folder, target)
        (folder / file).write_bytes(content)
        assert found.status == 1, found.said
        assert file in found.said
    assert check(folder, target).status == 0


@pytest.mark.parametrize("name", HERE)
def test_wrong_numbers_fail_though_every_file_is_accounted_for(name: str, tmp_path: Path) -> None:
    """One number of what must come out, in either set; then the program itself, and not the list of files, has to see it.

    Of the model half again its tolerance, which is more than is allowed, and half of it, which is less.
    """
    target = ready(name)
    folder = bundle(target, "lopsided", tmp_path)
    (entry,) = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"][0]["outputs"]
    tolerance = entry["tolerance"]
    for set_, shift, status in (("model", 1.5 * tolerance, 1), ("model", 0.5 * tolerance, 0), ("proof", 2.0**-6, 1)):
        file = folder / "golden" / set_ / "output_0.bin"
        content = file.read_bytes()
        numbers = np.frombuffer(content, "<f4").copy()
        numbers[-1] += np.float32(shift)
        file.write_bytes(numbers.tobytes())
        signed_again(folder)
        found = check(folder, target)
        file.write_bytes(content)
        signed_again(folder)
        assert found.status == status, found.said
        assert ("instead of" in found.said) == bool(status)
        assert entry["basis"] in found.said
    assert check(folder, target).status == 0


def with_weights_of(net: str, change: Callable[[np.ndarray], None]) -> onnxconv.Network:
    """The network, one of whose weights was changed."""
    network = onnxconv.read(NETS[net], seed=1)
    arrays = {param.name: network.weights[param].copy() for param in network.graph.params()}
    change(next(array for name, array in arrays.items() if name.endswith("weight")))
    return onnxconv.read(NETS[net], weights=arrays)


@pytest.mark.parametrize("name", HERE)
def test_a_wrong_weight_fails(name: str, tmp_path: Path) -> None:
    """The model of one bundle among the golden vectors of another."""
    target = ready(name)
    folder = bundle(target, "lopsided", tmp_path)

    def change(weight: np.ndarray) -> None:
        weight.reshape(-1)[5] *= 1.001

    other = with_weights_of("lopsided", change).embed(target, tmp_path / "other", adapt=True, seed=1).folder
    golden = {path.relative_to(folder): path.read_bytes() for path in (folder / "golden").rglob("*.bin")}
    for path, content in golden.items():
        (other / path).write_bytes(content)
    (other / "golden" / "golden.json").write_bytes((folder / "golden" / "golden.json").read_bytes())
    signed_again(other)
    found = check(other, target)
    assert found.status == 1, found.said


@cache
def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", HERE)
def test_the_same_bytes_every_time(name: str, tmp_path: Path) -> None:
    target = ready(name)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = bundle(target, "small", tmp_path / "one"), bundle(target, "small", tmp_path / "two")
    assert contents(one) == contents(two)
    assert sum(map(len, contents(one).values())) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.extra(name)) for name in ("web", "c")])
def test_mobilenet_v2_passes_where_it_will_live(name: str, tmp_path: Path) -> None:
    """All of its layers, on images of 96 by 96, with ten classes: C grows with the weights, and a head of 1000 has a third."""
    target = ready(name)
    network = onnxconv.read(
        SPECS / "mobilenet_v2.yaml", set={"classes": 10}, input_shapes={"x": [1, 3, 96, 96]}, seed=1
    )
    found = check(network.embed(target, tmp_path / "b", adapt=True, seed=1).folder, target)
    assert (found.status, found.said.splitlines()[-1]) == (0, "ok"), found.said
    assert found.start_up["first_run_ms"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.extra(name)) for name in NEEDY])
def test_what_was_rewritten_passes_where_it_will_live(name: str, tmp_path: Path) -> None:
    target = ready(name)
    network = onnxconv.read({**NEEDY[name], "inputs": {"x": NEEDY[name]["inputs"]["x"].replace("N", "1")}}, seed=1)
    with pytest.raises(UsageError, match="--adapt: "):
        network.embed(target, tmp_path / "refused")
    made = network.embed(target, tmp_path / "made", adapt=True, seed=1)
    found = check(made.folder, target)
    assert (found.status, found.said.splitlines()[-1]) == (0, "ok"), found.said
    assert made.changed
    assert "proof" in found.said


@pytest.mark.slow
@pytest.mark.extra("web")
def test_webgpu_is_checked_where_it_is_asked_for(tmp_path: Path) -> None:
    """Without a GPU on the processor, by SwiftShader, which Chromium brings along."""
    target = ready("web")
    folder = bundle(target, "lopsided", tmp_path)
    by_gpu = replace(target, check=(*target.check, "--webgpu"))
    found = check(folder, by_gpu)
    assert (found.status, found.said.splitlines()[-1]) == (0, "ok"), found.said
    assert "by WebGPU on" in found.said
    numbers = np.fromfile(folder / "golden" / "proof" / "output_0.bin", "<f4")
    numbers[-1] += 1
    numbers.tofile(folder / "golden" / "proof" / "output_0.bin")
    signed_again(folder)
    assert check(folder, by_gpu).status == 1


@pytest.mark.slow
@pytest.mark.extra("c-arm")
def test_generated_c_is_right_on_another_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = ready("c")
    for program, package in (("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"), ("qemu-arm", "qemu-user")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: apt install {package} libc6-dev-armhf-cross")
    monkeypatch.setenv("CC", "arm-linux-gnueabihf-gcc")
    monkeypatch.setenv("CFLAGS", "-O2 -static")
    monkeypatch.setenv("RUN", "qemu-arm")
    found = check(bundle(target, "small", tmp_path), target)
    assert (found.status, found.said.splitlines()[-1]) == (0, "ok"), found.said
