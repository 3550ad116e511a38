"""How each operator is said in the spec language: for every kind of layer the attributes that mean it, or that none do.

The inverse of `resolve`, kind by kind. Whatever is written here is resolved again and compared before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from onnxconv.errors import Refusal
from onnxconv.graph import Node, Number
from onnxconv.ops import Constant, DequantizedConv, DequantizedGemm, Operator, Shape
from onnxconv.specify.writers.functions import FUNCTIONS
from onnxconv.specify.writers.integers import INTEGERS, with_own
from onnxconv.specify.writers.moves import MOVES
from onnxconv.specify.writers.resample import RESAMPLE
from onnxconv.specify.writers.windows import WINDOWS, crop
from onnxconv.specify.writers.words import Attributes, Said, Writer, needed

__all__ = ["WITHOUT_WRITER", "WRITERS", "Said", "constant", "crop", "said", "with_own"]


def said(op: Operator, x: Shape) -> Said:
    """The operator in the words of the spec. Raises `Refusal` where there are none."""
    if isinstance(op, DequantizedConv | DequantizedGemm):
        on_floats = said(op.of, x)
        how = dict(on_floats.attributes) | {"int8": "per_filter" if op.per_channel else "per_tensor"}
        return Said(on_floats.kind, tuple(needed(on_floats.kind, how)))
    for kind, (operator, writer) in WRITERS.items():
        found = writer(op, x) if isinstance(op, operator) else None
        if found is not None:
            return Said(kind, tuple(needed(kind, found)))
    raise Refusal("no-words", f"{op.kind} has no kind of layer in the spec language that says it as it is here")


def constant(node: Node, usual: str) -> Said:
    """A constant: its sizes, the number that it is where it says that, and its data type where that is not the `usual` one."""
    assert isinstance(node.op, Constant), "of a constant"
    ((_, param),) = node.params
    value = param.recipe.value if isinstance(param.recipe, Number) else None
    dtype = None if node.type.dtype == usual else node.type.dtype
    return Said("constant", tuple(needed("constant", {**_constant(node.op, ()), "value": value, "dtype": dtype})))


def _constant(op: Constant, _: Shape) -> Attributes:
    return {"shape": list(op.shape) or None}


WRITERS: Mapping[str, tuple[type[Operator], Writer]] = MappingProxyType(
    {**WINDOWS, **FUNCTIONS, "constant": (Constant, _constant), **MOVES, **RESAMPLE, **INTEGERS}
)
"""By kind of layer, the operator that it is and how it is said; of several kinds the first that fits."""

WITHOUT_WRITER: Mapping[str, str] = MappingProxyType(
    {
        "dropout": "outside of training it is the identity, and is said as such",
        "scale": "it is two operators, a constant and a product: see `fused`",
    }
)
"""Kinds of layers that nothing is said as, and why."""
