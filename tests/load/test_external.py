"""External data are read only from regular files in the model's own folder, and only as far as they reach."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from oracles.hand_models import integers, one

from onnxconv.errors import ModelError
from onnxconv.load import load
from onnxconv.load.file import array_of

WEIGHT = integers((3, 2, 3))


def external(folder: Path, **entries: str | None) -> Path:
    """A model whose weight lies in ``weights.bin`` beside it, 8 bytes in, unless `entries` say otherwise."""
    proto = one("Conv", (1, 2, 5), {"w": WEIGHT})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    said = {"location": "weights.bin", "offset": "8", "length": str(WEIGHT.nbytes), **entries}
    for key, value in said.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    (folder / "weights.bin").write_bytes(bytes(8) + WEIGHT.tobytes())
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("entries", [{}, {"length": None}, {"location": "./weights.bin"}], ids=str)
def test_it_is_read_without_being_copied(entries: dict[str, str | None], tmp_path: Path) -> None:
    graph, weights = load(external(tmp_path, **entries))
    (param,) = graph.params()
    np.testing.assert_array_equal(weights[param], WEIGHT)
    assert weights.arrays is not None
    base = weights.arrays["w"]
    assert isinstance(base, np.memmap)


def test_a_folder_below_is_fine(tmp_path: Path) -> None:
    path = external(tmp_path, location="deep/weights.bin")
    (tmp_path / "deep").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "deep/weights.bin")
    graph, weights = load(path)
    np.testing.assert_array_equal(weights[next(graph.params())], WEIGHT)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "../weights.bin"}, "lies in '../weights.bin'"),
        ({"location": "a/../../weights.bin"}, "lies in"),
        ({"location": "..\\weights.bin"}, "lies in"),
        ({"location": "/etc/hostname"}, "lies in '/etc/hostname'"),
        ({"location": "C:\\weights.bin"}, "lies in"),
        ({"location": ""}, "lies in ''"),
        ({"location": None}, "lies in None"),
        ({"location": "absent.bin"}, "there is no file 'absent.bin'"),
        ({"location": "."}, "lies in '.'"),
        ({"offset": "9"}, "needs 72 bytes from 9"),
        ({"offset": "-8"}, "needs 72 bytes from -8"),
        ({"offset": "many"}, "malformed"),
        ({"length": "71"}, "it says 71"),
        ({"length": str(2**70)}, "it says"),
    ],
    ids=str,
)
def test_rejects(entries: dict[str, str | None], said: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    with pytest.raises(ModelError) as caught:
        load(external(folder, **entries))
    assert said in str(caught.value)


@pytest.mark.parametrize("link", [os.symlink], ids=["symlink"])
def test_links_are_not_followed(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8) + WEIGHT.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    path = external(folder)
    (folder / "weights.bin").unlink()
    link(secret, folder / "weights.bin")
    with pytest.raises(ModelError, match="is a symbolic link"):
        load(path)
    (folder / "weights.bin").unlink()
    link(tmp_path, folder / "up")
    with pytest.raises(ModelError, match="is a symbolic link"):
        load(external(folder, location="up/secret"))


def test_a_huge_tensor_is_refused_by_its_header(tmp_path: Path) -> None:
    path = external(tmp_path)
    proto = onnx.load(path, load_external_data=False)
    proto.graph.initializer[0].dims[0] = 2**60
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="malformed"):
        load(path)


@pytest.mark.parametrize("raw", [True, False])
def test_bfloat16_is_read_from_its_bits(raw: bool, tmp_path: Path) -> None:
    """Raw bytes, or integers that hold 16 bits each, as ONNX allows; onnx 1.17 reads neither rightly."""
    bits = np.array([0x3FC0, 0xC000, 0x3DCD, 0x0001, 0x7F80], np.uint16)
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.BFLOAT16, dims=[5])
    if raw:
        tensor.raw_data = bits.astype("<u2").tobytes()
    else:
        tensor.int32_data.extend(bits.tolist())
    found = array_of(tensor, tmp_path / "m.onnx")
    assert found.dtype.name == "bfloat16"
    assert found.astype(np.float64).tolist() == [1.5, -2.0, 0.10009765625, 2.0**-133, np.inf]
