"""Convert the models of this folder: python convert.py

Asks for onnx2tf, which running a converted model does not, and which runs on Python 3.12 or later. Inputs keep their shapes. Of
the outputs, layout.json says where the axis of channels was left last: it is the arrangement in which the golden outputs come
out, and a model of which they do not is refused.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx2tf
from ai_edge_litert.interpreter import Interpreter

HERE = Path(__file__).parent


def converted(file: Path) -> Path:
    """The float32 file of a model. Raises `ValueError` where onnx2tf does not make one."""
    kept = [x.name for x in onnx.load(file, load_external_data=False).graph.input]
    to, noise = file.with_suffix(".tflite"), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(file),
                output_folder_path=folder,
                keep_shape_absolutely_input_names=kept,
                non_verbose=True,
                verbosity="error",
            )
        except (Exception, SystemExit) as reason:
            plain = re.sub(r"\x1b\[\d*m", "", noise.getvalue())
            raise ValueError(next(iter(re.findall(r"ERROR:\s*(.+)", plain)), str(reason))) from reason
        shutil.copyfile(Path(folder) / f"{file.stem}_float32.tflite", to)
    return to


def array(entry: dict[str, Any]) -> np.ndarray:
    """One array of golden.json."""
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    return np.fromfile(HERE / "golden" / entry["file"], dtype).reshape(entry["shape"])


def order(got: np.ndarray, entry: dict[str, Any]) -> list[int] | None:
    """The axes of a result, in the order in which they are those that are expected; None where there is none."""
    expected, axes = array(entry), list(range(got.ndim))
    for found in (axes, [0, got.ndim - 1, *axes[1:-1]]):
        y = got.transpose(found)
        if y.shape == expected.shape and np.all(np.abs(y.astype(float) - expected) <= entry["tolerance"]):
            return found
    return None


def layout(golden: dict[str, Any]) -> dict[str, list[int]]:
    """The orders of all outputs of a set. Raises `ValueError` where one is not what it must be in any."""
    run = Interpreter(str((HERE / golden["model"]).with_suffix(".tflite"))).get_signature_runner()
    got = run(**{entry["name"]: array(entry) for entry in golden["inputs"]})
    orders = {entry["name"]: order(got[entry["name"]], entry) for entry in golden["outputs"]}
    if wrong := [name for name, found in orders.items() if found is None]:
        raise ValueError(f"what comes out as {', '.join(wrong)} is not what the model computes")
    return {name: found for name, found in orders.items() if found is not None}


def main() -> int:
    try:
        for file in sorted(HERE.glob("*.onnx")):
            converted(file)
        sets = json.loads((HERE / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"]
        layouts = {Path(golden["model"]).stem: layout(golden) for golden in sets}
    except Exception as reason:
        print(f"{type(reason).__name__}: {' '.join(str(reason).split())}", file=sys.stderr)
        return 2
    (HERE / "layout.json").write_text(json.dumps(layouts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
