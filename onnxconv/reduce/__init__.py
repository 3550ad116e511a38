"""The smallest case on which a runtime still disagrees: fewer layers, plainer attributes, smaller sizes, fewer numbers."""

from onnxconv.reduce.problem import FAMILIES, Disagreement, Problem
from onnxconv.reduce.search import Reduced, reduce
from onnxconv.reduce.write import save_case, spec_text

__all__ = ["FAMILIES", "Disagreement", "Problem", "Reduced", "reduce", "save_case", "spec_text"]
