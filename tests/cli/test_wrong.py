"""Wrong usage: a diagnostic, exit status 2, nothing written, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli.shell import call

WRONG_USAGE = {
    "unknown command": ("frobnicate", "No such command 'frobnicate'"),
    "unknown option": ("report net.yaml --colour", "No such option"),
    "no source": ("report", "Missing argument 'SOURCE'"),
    "no sources": ("verify", "Missing argument 'SOURCE...'"),
    "two sources for one": ("report net.yaml open.yaml", "unexpected extra argument"),
    "missing file": ("report nothing.yaml", "nothing.yaml"),
    "a folder as a spec": ("report .", "cannot be read"),
    "a mistake in the spec": ("report bad.yaml", "64 input channels cannot be split into 3 groups"),
    "not YAML": ("report torn.yaml", "torn.yaml:1"),
    "not a model": ("report torn.onnx", "torn.onnx"),
    "missing model": ("report nothing.onnx", "nothing.onnx"),
    "unknown format": ("report net.yaml --format xml", "'xml' is not one of"),
    "unknown parameter": ("report net.yaml --set clases=3", "did you mean 'classes'?"),
    "set without value": ("report net.yaml --set classes", "'classes' is not NAME=value"),
    "set twice": ("report net.yaml --set classes=1 --set classes=2", "gives 'classes' twice"),
    "set to nonsense": ("report net.yaml --set classes=many", "--set classes"),
    "set a model": ("report made.onnx --set classes=3", "cannot change what is finished"),
    "shape of a model whose sizes are known": ("report made.onnx --input-shape x=1,3,8,8", "give x=1,3,16,16"),
    "shape of no input": ("report net.yaml --input-shape z=1,3,8,8", "z"),
    "shape of too few axes": ("report net.yaml --input-shape x=1,3", "x"),
    "shape with a zero": ("report net.yaml --input-shape x=1,3,0,8", "'0' is neither a size"),
    "shape with a word": ("report net.yaml --input-shape x=1,3,8;8", "'8;8' is neither a size"),
    "build without -o": ("build net.yaml", "Missing option '-o'"),
    "build into a file that is no model": ("build net.yaml -o net.txt", "does not end in .onnx"),
    "build into a folder that is a file": ("build net.yaml -o net.yaml/", "File exists"),
    "build to standard output": ("build net.yaml -o -", "not to standard output"),
    "build several into one": ("build net.yaml open.yaml -o all.onnx", "do not fit into one file"),
    "build two of one name": ("build net.yaml sub/net.yaml -o out", "would both become"),
    "build over a source": ("build made.onnx -o made.onnx", "is read"),
    "build one good, one bad": ("build net.yaml bad.yaml -o out", "bad.yaml"),
    "build into nowhere": ("build net.yaml -o nowhere/at/all/net.onnx", "cannot be written"),
    "position of no layer": ("report net.yaml --at stm=1,1", "did you mean 'stem'?"),
    "position beyond the end": ("report net.yaml --at stem=8,-9", "the nearest is stem=7,-8"),
    "position of open size from the end": ("report open.yaml --at y=-1,3", "the nearest is y=0,3"),
    "position of too few numbers": ("report net.yaml --at stem=3", "gives 1 number, where 'stem' [N, 4, 8, 8] has 2"),
    "position where there is no axis": ("report net.yaml --at y=3", "write y alone"),
    "position without numbers": ("report net.yaml --at stem", "such as stem=4,4"),
    "position that is none": ("report net.yaml --at stem=1,x", "'stem=1,x' is not LAYER=row,col"),
    "position without a layer": ("report net.yaml --at =1,1", "'=1,1' is not LAYER=row,col"),
    "positions in a table": ("report net.yaml --at stem=1,1 --format csv", "no place for --at"),
    "sample rate of pictures": ("report net.yaml --sample-rate 8000", "no input is a signal: 'x' is [N, 3, 16, 16]"),
    "sample rate of nothing": ("report net.yaml --sample-rate 0", "the sample rate is 0"),
    "sample rate that is no number": ("report net.yaml --sample-rate fast", "'fast' is not a valid float"),
    "report over the source": ("report net.yaml -o net.yaml", "is read"),
    "report over the source, another way": ("report net.yaml -o sub/../net.yaml", "is read"),
    "verdict over the source": ("verify net.yaml -o net.yaml", "is read"),
    "verdict over the weights": ("verify net.yaml --weights some.npz -o some.npz", "is read"),
    "outputs over the inputs": ("run net.yaml -o some.npz --input some.npz", "is read"),
    "outputs over the weights": ("run net.yaml -o some.npz --weights some.npz", "is read"),
    "opset too old": ("build net.yaml -o n.onnx --opset 1", "opset 1"),
    "opset zero": ("build net.yaml -o n.onnx --opset 0", "--opset"),
    "one of several cannot be in that opset": ("build net.yaml open.yaml -o out --opset 1", "opset 1"),
    "unknown dtype": ("build net.yaml -o n.onnx --dtype float23", "'float23'"),
    "unknown weights-as": ("build net.yaml -o n.onnx --weights-as gold", "'gold' is not one of"),
    "negative seed": ("build net.yaml -o n.onnx --seed -1", "whole number from 0 to 2^64 - 1"),
    "seed too large": ("build net.yaml -o n.onnx --seed 18446744073709551616", "whole number from 0"),
    "missing weights": ("build net.yaml -o n.onnx --weights w.npz", "w.npz"),
    "foreign weights": ("build net.yaml -o n.onnx --weights some.npz", "'stem.weight' with shape [4, 3, 3, 3]"),
    "weights for several": ("build net.yaml open.yaml -o out --weights some.npz", "belongs to one source"),
    "run without -o": ("run net.yaml", "Missing option '-o'"),
    "run into no .npz": ("run net.yaml -o y.npy", "does not end in .npz"),
    "run with open sizes": ("run open.yaml -o y.npz", "--input-shape x="),
    "input that is no array": ("run net.yaml -o y.npz --input x=net.yaml", "or .npz: it holds no array of numbers"),
    "input that is missing": ("run net.yaml -o y.npz --input x=nothing.npy", "there is no such file"),
    "input without a name": ("run net.yaml -o y.npz --input x.npy", "neither NAME=FILE.npy nor FILE.npz"),
    "archive with a name": ("run net.yaml -o y.npz --input x=some.npz", "neither NAME=FILE.npy nor FILE.npz"),
    "input of no such name": ("run net.yaml -o y.npz --input z=x.npy", "there is no input 'z'"),
    "input of a wrong shape": ("run net.yaml -o y.npz --input x=small.npy", "size 8 on axis 2"),
    "input of a wrong dtype": ("run net.yaml -o y.npz --input x=double.npy", "input 'x' is float64"),
    "input twice": ("run net.yaml -o y.npz --input x=x.npy --input x=x.npy", "gives 'x' twice"),
    "input with code in it": ("run net.yaml -o y.npz --input x=pickled.npy", "it holds no array of numbers"),
    "unknown runtime": ("run net.yaml -o y.npz --runtime onnxruntim:cpu", "did you mean 'onnxruntime:cpu'?"),
    "unknown runtime to verify": ("verify net.yaml --runtime cuda", "there is no runtime 'cuda'"),
    "runtime file that is missing": ("verify net.yaml --runtime python:mine.py", "mine.py"),
    "unknown runtime option": (
        "run net.yaml -o y.npz --runtime onnxruntime:cpu --runtime-option thread=1",
        "no option 'thread'",
    ),
    "matrix without values": ("verify net.yaml --runtime-matrix threads", "'threads' is not KEY=VALUE,VALUE"),
    "matrix of no such option": ("verify net.yaml --runtime-matrix thread=1,2", "no option 'thread'"),
    "matrix with a wrong value": ("verify net.yaml --runtime-matrix optimization=all,full", "it is one of off, basic"),
    "matrix given twice": (
        "verify net.yaml --runtime-matrix threads=1 --runtime-matrix threads=2",
        "gives 'threads' twice",
    ),
    "matrix and default": (
        "verify net.yaml --runtime-matrix default --runtime-matrix threads=2",
        "'default' stands alone",
    ),
    "matrix and option": (
        "verify net.yaml --runtime-matrix threads=1,2 --runtime-option threads=1",
        "both give 'threads'",
    ),
    "matrix of a name with that option": (
        "verify net.yaml --runtime onnxruntime:cpu,threads=2 --runtime-matrix threads=1,2",
        "has a value of threads already",
    ),
    "default matrix of a runtime without": (
        "verify net.yaml --runtime numpy --runtime-matrix default",
        "only onnxruntime:cpu and onnxruntime:cuda have one",
    ),
    "unknown probe": ("verify net.yaml --probe exakt", "did you mean 'exact'?"),
    "no trials": ("verify net.yaml --trials 0", "--trials"),
    "no time": ("verify net.yaml --timeout 0", "--timeout"),
    "standard input twice": ("verify - -", "only once"),
}


@pytest.fixture
def full(here: Path) -> Path:
    """More to be wrong about: a model, arrays, and files that are not what they seem."""
    (here / "sub").mkdir()
    (here / "sub" / "net.yaml").write_text((here / "net.yaml").read_text())
    (here / "torn.yaml").write_text("layers: [conv: {")
    (here / "torn.onnx").write_bytes(b"\x08\x07 not a model")
    assert call("build", "net.yaml", "-o", "made.onnx").exit_code == 0
    np.savez("some.npz", x=np.zeros((1, 3, 16, 16), np.float32))
    np.save("x.npy", np.zeros((1, 3, 16, 16), np.float32))
    np.save("small.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save("double.npy", np.zeros((1, 3, 16, 16)))
    np.save("pickled.npy", np.array([{}], object), allow_pickle=True)
    return here


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage(case: str, full: Path) -> None:
    command, expected = WRONG_USAGE[case]
    before = snapshot(full)
    told = call(*command.split(), input="layers: []")
    assert told.exit_code == 2, told.output
    assert expected in told.stderr
    assert not told.stdout
    assert "Traceback" not in told.stderr
    assert "bug" not in told.stderr
    assert snapshot(full) == before


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path, and what is in the files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_every_mistake_of_every_source_is_told_at_once(here: Path) -> None:
    (here / "worse.yaml").write_text((here / "bad.yaml").read_text().replace("group: 3", "group: 5, strid: 2"))
    told = call("verify", "bad.yaml", "worse.yaml", "nothing.yaml")
    assert told.exit_code == 2
    assert "bad.yaml:2:" in told.stderr
    assert "worse.yaml:2:" in told.stderr
    assert "nothing.yaml" in told.stderr
    assert "did you mean 'stride'?" in told.stderr


def test_a_wrong_spec_on_standard_input_is_placed(here: Path) -> None:
    told = call("report", "-", input=(here / "bad.yaml").read_text())
    assert told.exit_code == 2
    assert told.stderr.startswith("<stdin>:2:")


def test_an_option_that_is_an_abbreviation_is_refused(here: Path) -> None:
    """Scripts that rely on abbreviations would break when a flag is added."""
    assert here
    assert call("report", "net.yaml", "--form", "json").exit_code == 2


def test_diagnostics_do_not_get_into_json(here: Path) -> None:
    assert here
    told = call("verify", "net.yaml", "--probe", "shape", "--format", "json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["verdict"] == "pass"
