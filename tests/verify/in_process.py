"""A bench whose runtime is onnxruntime in this very process: no protection, but thousands of models in a minute."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.graph import Graph
from onnxconv.weights import Weights


class InProcess:
    """What probes need of a `Bench`. Every model is checked, and its shapes inferred strictly, before it is run."""

    def __init__(self, *, checked: bool = True, optimised: bool = True) -> None:
        self.checked, self.optimised = checked, optimised
        self.models = 0

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        content = to_bytes(graph, weights, EmitOptions(every_tensor=every_tensor))
        if self.checked:
            model = onnx.load_from_string(content)
            onnx.checker.check_model(model, full_check=True)
            inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
            assert [o.type for o in inferred.graph.output] == [o.type for o in model.graph.output]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        if not self.optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.models += 1

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [o.name for o in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, dict(inputs)), strict=True))
