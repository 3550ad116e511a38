"""The reference executor: every operator by its definition, in float64 or any asked arithmetic, with NumPy alone.

Beyond the tensors that are alive, in their own data types, and the weights of one node, it works in at most
`WORKING_BYTES` at a time (more only where a single output needs more). `onnxconv.execute.fast` is the executor for speed.
"""

from onnxconv.execute.definition import Arrays, apply, beside, magnitude, otherwise, run, shifted
from onnxconv.execute.inputs import check_inputs, seeded_inputs, shapes_of_inputs
from onnxconv.execute.parts import WORKING_BYTES

__all__ = [
    "WORKING_BYTES",
    "Arrays",
    "apply",
    "beside",
    "check_inputs",
    "magnitude",
    "otherwise",
    "run",
    "seeded_inputs",
    "shapes_of_inputs",
    "shifted",
]
