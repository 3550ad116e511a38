"""The planned executor: float32 in the speed of runtimes, with NumPy alone.

Once for given shapes, a `Plan` is made: which layers are computed together, by which kernel, in which blocks, and where each
tensor lies. A `Program` runs it as often as asked, with the same bytes for any number of threads.
"""

from onnxconv.execute.fast.plan import Plan, make_plan
from onnxconv.execute.fast.program import Program

__all__ = ["Plan", "Program", "make_plan"]
