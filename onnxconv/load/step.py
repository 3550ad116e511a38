"""One ONNX node as it is read, and what it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx

from onnxconv.dtypes import FLOATS, shortest
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.graph import TensorType
from onnxconv.ops import Operator, Shape, shape_text

__all__ = ["PREVIOUS", "Constant", "Reader", "Reading", "Step"]


PREVIOUS = "\0previous"
"""As an input of a step: the output of the step before it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor whose value the model holds."""

    name: str
    array: Array


@dataclass(frozen=True, slots=True)
class Step:
    """One operator to be applied. Inputs are names of tensors or of constants of the model, `PREVIOUS` the step before it,
    or constants made from them.

    `settled`: constants among the inputs that training does not learn, such as scales and zero points. `output`: the
    node's output that it gives; left out, the last step gives the first one.
    """

    op: Operator
    inputs: tuple[str | Constant, ...]
    weights: Mapping[str, Constant] = field(default_factory=dict)
    settled: Collection[str] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A node among the tensors and constants known so far. Its methods raise `Refusal`."""

    node: onnx.NodeProto
    opset: int
    types: Mapping[str, TensorType]
    constants: Mapping[str, Constant]
    attributes: Mapping[str, Any]
    taken: Collection[str]
    """Names that the model uses."""
    file: Path = Path()
    open: Mapping[str, Array] = field(default_factory=dict)
    """Integer tensors, as objects, that hold sizes which the inputs leave open."""
    free: Mapping[str, Constant] = field(default_factory=dict)
    """Weights that are inputs of the model: their type is known, their numbers are not."""
    pin: str = ""
    """What to do about sizes left open."""

    def derived(self, constant: Constant, how: str, array: Array) -> Constant:
        """Another form of a constant, under a name of its own: the same one for each use."""
        if constant.name in self.free:
            raise self._not_constant(constant.name, "weight")
        name = f"{constant.name}.{how}"
        while name in self.taken:
            name += "'"
        return Constant(name, array)

    def has(self, index: int) -> bool:
        """The node has this optional input."""
        return index < len(self.node.input) and bool(self.node.input[index])

    def holds(self, index: int) -> bool:
        """The model holds this input, or takes it as one of its weights."""
        return self.has(index) and (self.node.input[index] in self.constants or self.node.input[index] in self.free)

    def fresh(self, name: str) -> str:
        """A name for something that the node's output is made from."""
        name = f"{self.node.output[0]}/{name}"
        while name in self.taken:
            name += "'"
        return name

    def tensor(self, index: int = 0) -> str:
        """The name of an input that is computed. Refused where it is a constant or missing."""
        name = self.node.input[index] if self.has(index) else ""
        if name in self.types:
            return name
        if name in self.open:
            raise self._depends(name, "operand")
        raise Refusal(
            "constant-operand" if name in self.constants else "missing-operand",
            f"its input {index} ({name!r}) is a constant" if name else f"it has no input {index}",
            "this operand is a tensor that another layer or an input of the model gives",
        )

    def operand(self, index: int) -> str:
        """The name of an input that is computed or a constant. Refused where it is missing."""
        name = self.node.input[index] if self.has(index) else ""
        return name if name in self.constants and name not in self.types else self.tensor(index)

    def operands(self) -> tuple[str, ...]:
        """All inputs up to the last one that is there. Refused where one between them is missing."""
        last = max((index for index in range(len(self.node.input)) if self.has(index)), default=-1)
        return tuple(self.operand(index) for index in range(last + 1))

    def type(self, index: int = 0) -> TensorType:
        """The type of an input that is computed or a constant."""
        name = self.operand(index)
        if name in self.types:
            return self.types[name]
        array = self.constants[name].array
        return TensorType(array.dtype.name, array.shape)

    def tensors(self) -> tuple[str, ...]:
        return tuple(self.tensor(index) for index in range(len(self.node.input)))

    def shape(self, index: int = 0) -> Shape:
        return self.types[self.tensor(index)].shape

    def constant(self, index: int, meaning: str) -> Constant:
        """An input that the model holds. Refused where it is computed or an input of the model."""
        name = self.node.input[index] if self.has(index) else ""
        if name in self.constants:
            return self.constants[name]
        if name in self.open:
            raise self._depends(name, meaning)
        raise self._not_constant(name, meaning)

    def _depends(self, name: str, meaning: str) -> Refusal:
        what = f"its {meaning} ({name!r}) holds {', '.join(map(str, self.open[name].reshape(-1)[:8]))}"
        return Refusal("symbolic-size", what, "it depends on a size that the model leaves open", self.pin)

    def _not_constant(self, name: str, meaning: str) -> Refusal:
        return Refusal(
            "not-constant",
            f"its {meaning} ({name!r}) is not a constant of the model" if name else f"it has no {meaning}",
            f"the {meaning} is an initializer or comes from a Constant node",
            "export the model with its weights",
        )

    def value(self, index: int, meaning: str = "operand") -> Array:
        """The value of an input that is known, as an array of objects where it holds sizes left open."""
        name = self.node.input[index] if self.has(index) else ""
        return self.open[name] if name in self.open else self.constant(index, meaning).array

    def sizes(self, index: int, meaning: str) -> Shape:
        """A vector of integers, some of which may be sizes left open."""
        name = self.node.input[index] if self.has(index) else ""
        return tuple(self.open[name].reshape(-1)) if name in self.open else self.integers(index, meaning)

    def any_shape(self, index: int) -> Shape:
        """The shape of an input, be it computed or known."""
        name = self.node.input[index] if self.has(index) else ""
        return self.shape(index) if name in self.types else self.value(index).shape

    def weight(self, index: int, meaning: str) -> Constant:
        """A constant of the same data type as the tensor it meets, none of its sizes 0."""
        name = self.node.input[index] if self.has(index) else ""
        found = self.free[name] if name in self.free else self.constant(index, meaning)
        dtype = next((self.types[name].dtype for name in self.node.input if name in self.types), "missing")
        if found.array.dtype.name != dtype:
            raise Refusal("dtype", f"its {meaning} {found.name!r} is {found.array.dtype.name}, its input {dtype}")
        if 0 in found.array.shape:
            raise Refusal("empty-weight", f"its {meaning} {found.name!r} has shape {shape_text(found.array.shape)}")
        return found

    def integers(self, index: int, meaning: str) -> tuple[int, ...]:
        """A constant vector of integers."""
        array = self.constant(index, meaning).array
        if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > 64:
            raise Refusal("not-integers", f"its {meaning} is not a short list of integers")
        return tuple(int(n) for n in array.reshape(-1))

    def number(self, index: int, meaning: str) -> float:
        """A constant scalar. Refused unless a float32, or for integers a float64, holds it exactly, as `Clip` and `Pad` demand."""
        array = self.constant(index, meaning).array
        if array.size == 1 and array.dtype.kind in "iu" and abs(int(array.reshape(-1)[0])) <= 2**53:
            return int(array.reshape(-1)[0])
        if array.size != 1 or array.dtype.name not in FLOATS:
            raise Refusal("not-a-number", f"its {meaning} is not one floating-point number")
        value = float(array.reshape(-1)[0])
        if math.isnan(value) or float(np.float32(value)) != value:
            raise Refusal("not-a-number", f"its {meaning} is {value!r}, which is no float32")
        return shortest(value, "float32")

    def integer(self, name: str, default: int) -> int:
        value: int = self.attributes.get(name, default)
        return value

    def real(self, name: str, default: float) -> float:
        return shortest(self.attributes.get(name, default), "float32")

    def word(self, name: str, default: str) -> str:
        value: bytes = self.attributes.get(name, default.encode())
        return value.decode("ascii", "replace")

    def per_axis(self, name: str, axes: int, default: int) -> tuple[int, ...]:
        """A list attribute with one number per spatial axis."""
        values: Sequence[int] = self.attributes.get(name) or (default,) * axes
        if len(values) != axes:
            raise Refusal(
                "attribute-length",
                f"{name} has {len(values)} numbers",
                f"there are {axes} spatial axes, one number each",
            )
        return tuple(values)

    def axis(self, default: int, rank: int) -> int:
        """The attribute `axis`, counted from the front."""
        axis = self.integer("axis", default)
        if not -rank <= axis < rank:
            raise Refusal("axis", f"axis is {axis}", f"the input has {rank} axes: {-rank} to {rank - 1}")
        return axis % rank

    def axes(self, since: int) -> tuple[int, ...]:
        """The axes of a node, counted from the front: an attribute before opset `since`, an input from then on."""
        rank = len(self.shape())
        if self.opset < since:
            axes = tuple(self.attributes.get("axes", ()))
        else:
            axes = self.integers(1, "axes") if self.has(1) else ()
        return tuple(axis % rank if -rank <= axis < rank else axis for axis in axes)

    def demand(self, name: str, only: float) -> None:
        """Refuse an attribute at any value but the one that is understood; missing counts as that."""
        value = self.attributes.get(name, only)
        if value != only:
            raise Refusal("unsupported-attribute", f"{name} is {value}", f"onnxconv understands {name} {only} only")


Reader: TypeAlias = Callable[[Reading], Sequence[Step]]
"""How an ONNX operator is read: the steps it becomes, the last one giving its output."""
