"""A model that points outside its folder reaches no runtime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxconv.errors import ModelError
from onnxconv.runtimes import start
from onnxconv.runtimes.external import demand_inside, external_files


def save(folder: Path, location: str, *, nested: bool = False) -> Path:
    """A model with one tensor of 4 numbers in `location`; `nested`: in an attribute of a node in a branch."""
    tensor = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    if nested:
        branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "b", [], [y])
        condition = numpy_helper.from_array(np.array(True), "c")
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        graph = helper.make_graph([node], "g", [], [y], [condition])
    else:
        graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [y], [tensor])
    folder.mkdir(exist_ok=True)
    path = folder / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    return path


def test_data_beside_the_model_are_read(tmp_path: Path, secret: Path) -> None:
    path = save(tmp_path / "m", "w.bin")
    (tmp_path / "m" / "w.bin").write_bytes(secret.read_bytes())
    assert external_files(path) == ("w.bin",)
    with start("onnxruntime:cpu") as worker:
        worker.load(path)
        assert worker.run({})["y"].tolist() == [0, 1, 2, 3]
        with pytest.raises(ModelError, match="lie outside the model's folder"):
            worker.load(save(tmp_path / "other", "../secret"))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "location", ["../secret", "a/../../secret", "{tmp}/secret", "..\\secret", "C:\\secret", "C:secret"]
)
@pytest.mark.usefixtures("secret")
def test_places_outside_are_refused(tmp_path: Path, location: str, nested: bool) -> None:
    path = save(tmp_path / "m", location.replace("{tmp}", str(tmp_path)), nested=nested)
    with pytest.raises(ModelError, match="lie outside the model's folder"):
        demand_inside(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_are_refused(tmp_path: Path, secret: Path, link: object) -> None:
    path = save(tmp_path / "m", "w.bin")
    assert callable(link)
    link(secret, tmp_path / "m" / "w.bin")
    with pytest.raises(ModelError, match=r"external data in 'w\.bin'"):
        demand_inside(path)


@pytest.mark.usefixtures("secret")
def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m", "sub/secret")
    (tmp_path / "m" / "sub").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="lie outside"):
        demand_inside(path)


def test_no_model_and_no_protobuf(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        demand_inside(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_bytes(b"location \xff\xff")
    with pytest.raises(ModelError, match="this is no ONNX model"):
        demand_inside(tmp_path / "text.onnx")


def test_a_model_without_external_data_is_not_parsed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "load", None)
    demand_inside(model)
    (model.parent / "empty.onnx").touch()
    demand_inside(model.parent / "empty.onnx")
