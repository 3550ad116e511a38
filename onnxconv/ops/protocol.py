"""What every operator states about itself. Rooms draw their conclusions from these facts alone.

Shapes are outermost first: [N, C, *S] with batch N, channels C and spatial axes S. A dimension is an integer or, where
it is not known yet, the text of a symbol. Every operator has exactly one output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Field, Size, TransposedAxis

Shape: TypeAlias = tuple[Size, ...]
Weights: TypeAlias = Mapping[str, Array]
AttributeValue: TypeAlias = "int | float | str | tuple[int, ...] | tuple[float, ...]"

POINT = "point"
"""The step of an axis on which output o sees input o alone."""
WHOLE_AXIS = "whole"
"""The step of an axis on which every output sees every input."""
BROADCAST = "broadcast"
"""The step of an axis one position long, which every output sees."""
UNKNOWN = "unknown"
"""The step of an axis of which an output may see anything: data decide, or nobody knows."""
UNSEEN = "unseen"
"""The step of an axis of which no output sees anything: of such an input only the shape matters."""
Step: TypeAlias = "Axis | TransposedAxis | Field | str"
"""What output o sees along an axis: a window, any periodic family of positions, or one of the words above."""


@dataclass(frozen=True, slots=True)
class To:
    """The step of an input's axis that lies along another axis of the output: `axis`, counted from 0; None: along none.

    `exact`: false where an output sees less than the step says, as its place along other axes decides.
    """

    axis: int | None
    step: Step = POINT
    exact: bool = True


Footprint: TypeAlias = "tuple[Step | To, ...]"
"""One entry for every axis of an input, batch and channels too: a step along the output axis of the same index, or a `To`."""


@dataclass(frozen=True, slots=True)
class Const:
    """A small constant operand of an ONNX form. `dtype` None stands for the data type of the operator's first input."""

    values: tuple[int, ...] | tuple[float, ...]
    dtype: str | None = None
    scalar: bool = False
    shape: tuple[int, ...] | None = None
    """None: a list."""
    exact: bool = False
    """The number itself, in float64 too; otherwise the float32 nearest to it, as ONNX attributes are."""


@dataclass(frozen=True, slots=True)
class Form:
    """One ONNX node of an operator's lowering.

    Operands: ``"x0"``, ``"x1"`` … the operator's inputs, ``"w:ROLE"`` a weight, ``"t:NAME"`` a tensor between two forms of
    the same operator, ``""`` an absent optional operand, or a `Const`. `output` is ``"y"`` or a ``"t:NAME"``, whose
    `shape` is that of the first operand unless given. `beside`: data types ("": that of the operator's first input) and
    shapes of the node's other outputs, which nobody reads; `place`: the index of `output` among them all.
    """

    op_type: str
    operands: tuple[str | Const, ...]
    attributes: Mapping[str, AttributeValue]
    output: str = "y"
    shape: Shape | None = None
    beside: tuple[tuple[str, Shape], ...] = ()
    place: int = 0
    dtype: str | None = None
    """Data type of the output; None: that of the operator's."""


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds for one image: `macs` counts taps on padding too, as published tables do; `valid_macs` does not."""

    macs: int = 0
    valid_macs: int = 0


class Operator(Protocol):
    """One operator with its attributes resolved to integers. Operators inherit from it and override what differs."""

    __slots__ = ()

    kind: ClassVar[str]
    """The ONNX operator it is known as in reports."""

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by role ("weight", "bias", …), in the order in which they are listed. Default: none."""
        return {}

    def out_shape(self, *xs: Shape) -> Shape:
        """Shape of the output. Raises `Refusal` where the inputs break a rule."""
        ...

    def out_dtype(self, *dtypes: str) -> str:
        """Data type of the output, by those of the inputs. Default: the one that they share, `Refusal` where they differ."""
        if len(set(dtypes)) != 1:
            what = f"it joins {' and '.join(sorted(set(dtypes)))}"
            raise Refusal("dtype", what, "all tensors of a layer have one data type")
        return dtypes[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        """The definition, in the arithmetic of the arrays given (float64 for a reference)."""
        ...

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """Sum of the absolute values of all terms of each output: what rounding errors are relative to.

        Default, right for sums of products: the definition on absolute values.
        """
        return self.define(*map(np.abs, xs), **{role: np.abs(a) for role, a in w.items()})

    def shifted(self, share: float, *xs: Array, **w: Array) -> Array:
        """The output where what is rounded to an integer at last is off by `share` · magnitude, which is relative to that.

        Default, right where nothing is rounded to an integer: the definition.
        """
        return self.define(*xs, **w)

    def otherwise(self, *xs: Array) -> Iterator[Array]:
        """Outputs that are as right, element by element, where a position computed in floating point is rounded to either side.

        Default: none.
        """
        return iter(())

    def roundings(self, *xs: Shape) -> int:
        """n such that every direct evaluation errs by at most γ_n · magnitude; 0 demands bit equality."""
        ...

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """For each input and each of its axes, what an output position sees. Default: its own position."""
        return points(*xs)

    def work(self, *xs: Shape) -> Work:
        """Multiply-adds for one image, N = 1. Default: none."""
        return Work()

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        """The ONNX nodes that compute it. Raises `Refusal` where the opset cannot say it."""
        ...


def fixed(dimension: Size, meaning: str) -> int:
    """A dimension that must be a known number, such as channels. Raises `Refusal` for a symbol."""
    if isinstance(dimension, int):
        return dimension
    raise Refusal(
        "symbolic-dimension",
        f"{meaning} is the symbol {dimension!r}",
        f"{meaning} determines the shape of the weights",
        "give this dimension a number",
    )


def need_spatial(x: Shape, rank: int | None = None) -> None:
    """Refuse tensors that are not [N, C, *S] with at least one spatial axis, or with another number of them than `rank`."""
    if len(x) < 3 or (rank is not None and len(x) - 2 != rank):
        asked = "at least one spatial axis" if rank is None else f"{rank} spatial ax{'i' if rank == 1 else 'e'}s"
        raise Refusal(
            "rank",
            f"the input {shape_text(x)} has {max(0, len(x) - 2)} spatial axes, this layer needs {asked}",
            "tensors are [N, C, *spatial]",
            "give one number per spatial axis of the input",
            "kernel",
        )


def need_numbers(x: Shape, axes: Iterable[int], doing: str) -> None:
    """Refuse to take no numbers at all together, where they have no value: axes of size 0, unless nothing is asked for."""
    taken = {*axes}
    empty = [axis for axis, n in enumerate(x) if n == 0]
    if empty and taken.issuperset(empty):
        why = f"axis {empty[0]} has no positions, and {doing} of no numbers is not defined"
        raise Refusal("empty-input", f"{doing} of {shape_text(x)}", why, "give the input at least one position")


def check_axes(axes: tuple[int, ...], rank: int, doing: str) -> None:
    """Refuse axes that are not there, or not ascending."""
    if tuple(sorted(set(axes))) != axes or any(not 0 <= axis < rank for axis in axes):
        raise Refusal(
            "axes",
            f"{doing}, axes {list(axes)}",
            f"axes are counted from 0 to {rank - 1}, ascending, each once",
            f"use axes from 0 to {rank - 1}",
            "axes",
        )


def shape_text(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def per_image(dimensions: Sequence[Size]) -> int:
    """Product of dimensions, where a symbol counts as 1."""
    product = 1
    for d in dimensions:
        product *= d if isinstance(d, int) else 1
    return product


def points(*xs: Shape) -> tuple[Footprint, ...]:
    """The footprint of an elementwise operator."""
    return tuple((POINT,) * len(x) for x in xs)


def sliding(window: Sequence[Step]) -> tuple[Footprint, ...]:
    """The footprint of a window that slides over the spatial axes of one input, each channel for itself."""
    return ((POINT, POINT, *window),)


def mixing(window: Sequence[Step]) -> tuple[Footprint, ...]:
    """The footprint of a window that slides over the spatial axes of one input and takes its channels together."""
    return ((POINT, WHOLE_AXIS, *window),)
