"""A failure shows what its worst element was computed from, and where the tensor is wrong."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.shell import call

from onnxconv.verify.compare import merge, within
from onnxconv.verify.picture import LEAST, RIGHT, ROUNDED, WORST, ErrorMap, picture

SPEC = """\
name: net
inputs: {x: "float32[1, 3, 16, 12]"}
layers:
  - conv: {filters: 4, kernel: 3, stride: 2, pad: 1}
    name: first
  - relu
  - conv: {filters: 5, kernel: [3, 1], dilation: [2, 1], pad: [2, 0]}
    name: second
"""
WRONG = """\
import numpy as np, onnxruntime

def prepare(model_path):
    session = onnxruntime.InferenceSession(model_path)
    names = [output.name for output in session.get_outputs()]
    def run(inputs):
        outputs = dict(zip(names, session.run(names, inputs)))
        for y in outputs.values():
            if y.shape[1:] == (5, 8, 6):
                y[0, 3, 1, 4] += 100
                y[0, 2, 6, 0] += 1
        return outputs
    return run
"""


def pixels(png: bytes) -> np.ndarray:
    """[H, W, 3] of a PNG file of 8-bit colours without filters, every chunk's checksum looked at."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *how = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert how == [8, 2, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "wrong.py").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verified(*more: str) -> dict[str, Any]:
    told = call("verify", "net.yaml", "--runtime", "python:wrong.py", "--probe", "bound", "--format", "json", *more)
    assert told.exit_code == 1, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)["checks"][0]["first_divergence"]
    return found


def test_the_boxes_that_fed_the_worst_element(folder: Path) -> None:
    """Rows 1 − 2, 1, 1 + 2 of what is read, one of which is padding; of those 2·1 − 1 … 2·3 + 1 of the image."""
    first = verified()
    assert first["layer"] == first["tensor"] == "second"
    assert first["index"] == [0, 3, 1, 4]
    assert first["shape"] == [1, 5, 8, 6]
    assert first["reads"] == {"relu": [[1, 3], [4, 4]]}
    assert first["sees"] == {"x": [[1, 7], [7, 9]]}
    assert not list(folder.glob("**/*.png"))


def test_text_shows_them(folder: Path) -> None:
    text = call("verify", "net.yaml", "--runtime", "python:wrong.py", "--probe", "exact", "--error-map", "maps").stdout
    assert "first wrong layer: second (Conv) at [0, 3, 1, 4] of [1, 5, 8, 6]" in text
    assert "computed from relu[1–3, 4]; its receptive field is x[1–7, 7–9]" in text
    (file,) = (folder / "maps").iterdir()
    assert f"error map: maps/{file.name}" in text


def test_the_map_is_a_picture_of_what_is_wrong(folder: Path) -> None:
    first = verified("--error-map", "made/maps")
    assert first["error_map"] == "made/maps/net-python_wrong.py-bound-second.png"
    shown = pixels((folder / first["error_map"]).read_bytes())
    times = shown.shape[0] // 8
    assert shown.shape == (8 * times, 6 * times, 3)
    small = shown[times // 2 :: times, times // 2 :: times]
    assert tuple(small[1, 4]) == WORST
    assert tuple(small[6, 0]) not in (WORST, RIGHT, ROUNDED)
    small = small.reshape(-1, 3)
    assert {tuple(p) for i, p in enumerate(small) if i not in (6 + 4, 36)} <= {RIGHT, ROUNDED}


def test_colours_tell_right_rounded_wrong_and_infinite() -> None:
    error = np.array([[0, 1e-9, 1e-3, 1.0], [0, 0, 1e-12, np.inf]])
    wrong = np.array([[False, False, True, True], [False, False, True, True]])
    shown = pixels(picture(ErrorMap(error, wrong)))
    small = shown[40::80, 40::80]
    assert tuple(small[0, 0]) == RIGHT
    assert tuple(small[0, 1]) == ROUNDED
    assert tuple(small[0, 3]) == tuple(small[1, 3]) == WORST
    assert tuple(small[1, 2]) == LEAST
    assert LEAST[1] > small[0, 2][1] > WORST[1]


def test_where_equality_is_demanded_the_worst_is_what_is_furthest_off() -> None:
    y = np.zeros((1, 1, 2, 3))
    got = y.copy()
    got[0, 0, 0, 1], got[0, 0, 1, 2] = 1, -7
    found = within(got, y, 0.0)
    assert found.worst == (0, 0, 1, 2)
    assert found.map is not None
    assert found.map.wrong.sum() == 2
    assert merge(found, within(y, y, 0.0)).map is found.map
    assert within(y, y, 0.0).map is None
    assert within(got[0], y[0], 0.0).map is None
