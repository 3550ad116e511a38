"""A reduced case as a folder that a runtime's maintainer can use: the model, its numbers, and a script that needs NumPy alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.emit import EmitOptions, fitting, save
from onnxconv.errors import ModelError
from onnxconv.files import whole_folder
from onnxconv.graph import Graph
from onnxconv.reduce.search import Reduced
from onnxconv.specify import specify
from onnxconv.weights import given

__all__ = ["save_case", "spec_text"]

SCRIPT = '''"""{title}

Run it with: python reproduce.py
It needs onnxruntime and NumPy, and exits with 1 where onnxruntime's outputs are not those expected.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).parent
PROVIDERS = {providers!r}
session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=PROVIDERS)
inputs = {{i.name: np.load(HERE / f"input_{{n}}.npy") for n, i in enumerate(session.get_inputs())}}
wrong = 0
for n, (output, got) in enumerate(zip(session.get_outputs(), session.run(None, inputs))):
    expected, allowed = np.load(HERE / f"expected_{{n}}.npy"), np.load(HERE / f"allowed_{{n}}.npy")
    off = ~(np.abs(got.astype(np.float64) - expected) <= allowed) if got.shape == expected.shape else np.ones(1, bool)
    wrong += int(off.sum())
    print(f"{{output.name}}: {{int(off.sum())}} of {{off.size}} elements are wrong")
    print("expected:", expected.tolist())
    print("got:     ", got.tolist())
sys.exit(1 if wrong else 0)
'''


def save_case(reduced: Reduced, folder: Path, runtime: str, command: str) -> tuple[str, ...]:
    """Write the case; the names of the files, whole or not at all. `command`: the line that reduced it.

    ``model.onnx``, ``input_N.npy``, ``expected_N.npy`` (float64), ``allowed_N.npy`` (largest error, 0 for equality),
    ``actual_N.npy`` where the runtime gave an array, ``reproduce.py``, ``README.md``, and ``spec.yaml`` where there are words.
    Raises `UsageError` where nothing can be written.
    """
    found = reduced.disagreement
    problem = found.problem
    with whole_folder(folder) as hidden:
        options = fitting(problem.graph, EmitOptions(external_data="never"))
        save(problem.graph, given(problem.arrays), hidden / "model.onnx", options)
        types = problem.graph.types()
        for n, (name, _) in enumerate(problem.graph.inputs):
            np.save(hidden / f"input_{n}.npy", rounded(problem.inputs[name], types[name].dtype))
        for n, name in enumerate(problem.graph.outputs):
            y = problem.expected[name].astype(np.float64)
            np.save(hidden / f"expected_{n}.npy", y)
            np.save(hidden / f"allowed_{n}.npy", np.broadcast_to(np.asarray(problem.limit[name], np.float64), y.shape))
            if name in found.got:
                np.save(hidden / f"actual_{n}.npy", found.got[name])
        device = "CUDA" if runtime == "onnxruntime:cuda" else "CPU"
        title = f"{f'{runtime} {reduced.version}'.strip()}: {found.reason}"
        script = SCRIPT.format(title=title, providers=[f"{device}ExecutionProvider"])
        (hidden / "reproduce.py").write_text(script, encoding="utf-8")
        if written := spec_text(problem.graph):
            (hidden / "spec.yaml").write_text(written, encoding="utf-8")
        (hidden / "README.md").write_text(_readme(reduced, title, command), encoding="utf-8")
        return tuple(sorted(path.name for path in hidden.iterdir()))


def spec_text(graph: Graph) -> str:
    """The graph as a spec; empty where the language has no words for it."""
    try:
        return specify(graph).text
    except ModelError:
        return ""


def _readme(reduced: Reduced, title: str, command: str) -> str:
    graph = reduced.disagreement.problem.graph
    demand = "equality" if reduced.disagreement.problem.exact else "the error in `allowed_N.npy`"
    return f"""# {title}

```yaml
{spec_text(graph).rstrip()}
```

Expected values are exact, computed in float64; demanded is {demand}. Found with:

    {command}

`python reproduce.py` asks onnxruntime; any other runtime can be asked with `model.onnx`, `input_N.npy` and `expected_N.npy`.
"""
