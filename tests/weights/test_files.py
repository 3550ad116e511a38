"""Weights from .npz and .safetensors files, by name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from onnxconv.errors import WeightsError
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.network.change import retyped
from onnxconv.ops import Constant, Conv
from onnxconv.weights import from_file

X, Y = TensorType("float32", (1, 2, 5)), TensorType("float32", (1, 4, 3))
WEIGHT = Param("conv.weight", "float32", (4, 2, 3), Initial("conv.weight", (4, 2, 3)))
BIAS = Param("conv.bias", "float32", (4,), Initial("conv.bias", (4,), "zeros"))
CONV = Node("conv", Conv((Axis(3),), 4), ("x",), "conv", Y, (("weight", WEIGHT), ("bias", BIAS)))
GRAPH = Graph("g", (("x", X),), (CONV,), ("conv",))

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(4, 2, 3) / 7,
    "conv.bias": np.arange(4, dtype=np.float32) / 3,
}


def npz(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez(folder / "w.npz", **arrays)
    return folder / "w.npz"


def packed(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez_compressed(folder / "w.npz", **arrays)
    return folder / "w.npz"


def tensors(folder: Path, arrays: dict[str, Any]) -> Path:
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    safetensors.numpy.save_file(held, folder / "w.safetensors", {"format": "np"})
    return folder / "w.safetensors"


Writer = Callable[[Path, dict[str, Any]], Path]
writers = pytest.mark.parametrize("write", [npz, packed, tensors])


@writers
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_come_back(write: Writer, dtype: str, tmp_path: Path) -> None:
    arrays = {name: array.astype(dtype) for name, array in ARRAYS.items()}
    weights = from_file(GRAPH, write(tmp_path, arrays))
    for param in GRAPH.params():
        np.testing.assert_array_equal(weights[param], arrays[param.name].astype(np.float32))
        chunked = b"".join(weights.chunks(param, 5))
        assert chunked == arrays[param.name].astype("<f4").tobytes()


def test_bfloat16(tmp_path: Path) -> None:
    arrays = {name: array.astype(ml_dtypes.bfloat16) for name, array in ARRAYS.items()}
    weights = from_file(GRAPH, tensors(tmp_path, arrays))
    np.testing.assert_array_equal(weights[WEIGHT], arrays["conv.weight"].astype(np.float32))


@writers
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint16", "int64", "bool"])
def test_integers_are_of_their_own_type(write: Writer, dtype: str, tmp_path: Path) -> None:
    param = Param("n.value", dtype, (3,), Initial("n.value", (3,)))
    node = Node("n", Constant((3,)), (), "n", TensorType(dtype, (3,)), (("value", param),))
    graph = Graph("g", (("x", X),), (node,), ("n",))
    weights = from_file(graph, write(tmp_path, {"n.value": np.array([1, 0, 1], dtype)}))
    assert weights[param].tobytes() == np.array([1, 0, 1], dtype).tobytes()
    for other in ("float32", "int16"):
        with pytest.raises(WeightsError, match=f"computes with {dtype}"):
            from_file(graph, write(tmp_path, {"n.value": np.array([1, 0, 1], other)}))
    half = retyped(graph, "float16").nodes[0]
    assert (half.type.dtype, half.params[0][1].dtype) == (dtype, dtype), "integers stay"


@writers
def test_bfloat16_stays_what_it_is(write: Writer, tmp_path: Path) -> None:
    """In .npz NumPy stores it as raw pairs of bytes."""
    arrays = {name: array.astype(ml_dtypes.bfloat16) for name, array in ARRAYS.items()}
    graph = retyped(GRAPH, "bfloat16")
    weights = from_file(graph, write(tmp_path, arrays))
    for param in graph.params():
        np.testing.assert_array_equal(weights[param], arrays[param.name], strict=True)
        assert b"".join(weights.chunks(param, 5)) == arrays[param.name].tobytes()


def test_float64_is_rounded_once_to_bfloat16(tmp_path: Path) -> None:
    """1 + 2^-8 + 2^-40 is above the middle between two bfloat16; as a float32 it would be that middle."""
    arrays = {name: np.full(array.shape, 1 + 2.0**-8 + 2.0**-40) for name, array in ARRAYS.items()}
    weights = from_file(retyped(GRAPH, "bfloat16"), npz(tmp_path, arrays))
    assert set(weights[replace(WEIGHT, dtype="bfloat16")].astype(float).flat) == {1 + 2.0**-7}


def test_other_orders_of_bytes_and_axes(tmp_path: Path) -> None:
    odd = {"conv.weight": np.asfortranarray(ARRAYS["conv.weight"]), "conv.bias": ARRAYS["conv.bias"].astype(">f4")}
    weights = from_file(GRAPH, npz(tmp_path, odd))
    for param in GRAPH.params():
        np.testing.assert_array_equal(weights[param], ARRAYS[param.name])


@writers
def test_counters_that_torch_stores_are_passed_over(write: Writer, tmp_path: Path) -> None:
    from_file(GRAPH, write(tmp_path, {**ARRAYS, "bn.num_batches_tracked": np.array([3])}))


@writers
@pytest.mark.parametrize(
    ("change", "codes", "said"),
    [
        ({"conv.bias": None}, ["missing-weight"], "'conv.bias' with shape [4] is not in the file"),
        (
            {"conv.bias": None, "conv.bais": ARRAYS["conv.bias"]},
            ["missing-weight", "superfluous-weight"],
            "did you mean 'conv.bais'?",
        ),
        ({"extra": ARRAYS["conv.bias"]}, ["superfluous-weight"], "'extra' with shape [4] belongs to no layer"),
        (
            {"conv.weight": ARRAYS["conv.weight"].transpose()},
            ["weight-shape"],
            "'conv.weight' has shape [3, 2, 4] in the file, the layer needs [4, 2, 3]",
        ),
        ({"conv.bias": np.arange(4)}, ["weight-type"], "'conv.bias' holds"),
        ({"conv.bias": np.zeros(4, bool)}, ["weight-type"], "'conv.bias' holds"),
        (
            {"conv.weight": np.zeros((2,), np.float32), "conv.bias": np.zeros((2, 2), np.float32)},
            ["weight-shape", "weight-shape"],
            "the layer needs [4]",
        ),
    ],
)
def test_every_mistake_is_named(
    write: Writer, change: dict[str, Any], codes: list[str], said: str, tmp_path: Path
) -> None:
    arrays = {name: array for name, array in {**ARRAYS, **change}.items() if array is not None}
    with pytest.raises(WeightsError) as caught:
        from_file(GRAPH, write(tmp_path, arrays))
    assert [d.code for d in caught.value.diagnostics] == codes
    assert said in str(caught.value)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds object"):
        from_file(GRAPH, npz(tmp_path, {**ARRAYS, "conv.bias": np.array([print, 1, 2, 3], object)}))


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"\xff" * 40, b"\x10" + bytes(7) + b"{}" + bytes(14)])
def test_damaged_files(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="not a readable"):
        from_file(GRAPH, tmp_path / name)


@pytest.mark.parametrize("name", ["absent.npz", "absent.safetensors", "w.pt", "w"])
def test_no_such_file_or_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        from_file(GRAPH, tmp_path / name)
    assert ("No such file" if name.startswith("absent") else "use a .npz or a .safetensors file") in str(caught.value)


def read_all(path: Path) -> None:
    weights = from_file(GRAPH, path)
    for param in GRAPH.params():
        weights[param]


@writers
def test_files_cut_short_anywhere(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path, ARRAYS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 9):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            read_all(path)


def test_sizes_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    """A header that claims 4 TB, in an archive of a few bytes."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("conv.bias.npy", member)
    with pytest.raises(WeightsError, match="not its length"):
        from_file(GRAPH, tmp_path / "w.npz")
    claims = {"conv.bias": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    text = json.dumps(claims).encode()
    (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(WeightsError, match="do not match"):
        from_file(GRAPH, tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes((10**15).to_bytes(8, "little"))
    with pytest.raises(WeightsError, match="header claims"):
        from_file(GRAPH, tmp_path / "w.safetensors")


@writers
def test_tampered_files_are_refused_or_read(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path, ARRAYS)
    whole, random, read = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), random.integers(1, 3)):
            damaged[at] = random.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            read_all(path)
            read += 1
        except WeightsError:
            pass
    assert 0 < read < 150
