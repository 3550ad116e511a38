"""Arrays for the parameters of a graph: drawn from a seed, read from a file, or given. Nothing is made before it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from onnxconv.deferred import np
from onnxconv.dtypes import DTYPES, FLOATS, numpy_dtype, rounded
from onnxconv.errors import Diagnostic, WeightsError, Where
from onnxconv.geometry import Array
from onnxconv.graph import (
    FoldedBias,
    FoldedWeight,
    Graph,
    Initial,
    Number,
    Param,
    Quantised,
    Recipe,
    ScaleOf,
    Tiled,
    Transposed,
)
from onnxconv.weights.draw import KINDS, draw
from onnxconv.weights.files import Stored
from onnxconv.weights.matched import matched, missing
from onnxconv.weights.ordered import each, in_order

__all__ = ["KINDS", "Weights", "from_file", "given", "seeded"]

CHUNK = 1 << 16
"""Elements made at a time: few enough that what they are made from stays in a processor's cache."""

WORTH_A_THREAD = 1 << 12
"""Elements below which an array is made sooner than a thread hears of it."""

T = TypeVar("T")

_Reader: TypeAlias = Callable[[int, int], Array]
"""(start, stop) → those elements in row-major order."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The array of every parameter, made on demand and the same each time."""

    seed: int = 0
    stored: Mapping[str, Stored] | None = None
    """Arrays of a file by the name of the `Initial`; None: they are drawn from the seed."""
    arrays: Mapping[str, Array] | None = None
    """Arrays by the name of the `Param`; None: they are made by their recipes."""
    drawn: frozenset[str] = frozenset()
    """Names of the `Param`s that are drawn from the seed all the same."""
    _largest: dict[Param, Array] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What scales have been found from: the same numbers are asked for by a weight, its scale, and its bias and its scale."""

    def __getitem__(self, param: Param) -> Array:
        """The whole array, in the parameter's shape and data type. Raises `WeightsError` where it cannot be made."""
        if not param.shape:
            return self._reader(param)(0, 1).reshape(())
        whole = np.empty(param.shape, numpy_dtype(param.dtype))
        flat, read = whole.reshape(-1), self._reader(param)

        def fill(start: int, stop: int) -> None:
            flat[start:stop] = read(start, stop)

        for _ in self._done(param, each(fill, flat.size, CHUNK)):
            pass
        return whole

    def chunks(self, param: Param, elements: int = CHUNK) -> Iterator[memoryview]:
        """The little-endian bytes of the array in row-major order, `elements` numbers at a time."""
        return (call() for call in self._calls(param, elements))

    def stream(self, pieces: Iterable[Param | bytes]) -> Generator[memoryview | bytes, None, None]:
        """The bytes of arrays, as `chunks` gives them, and those between them; the next chunks are made meanwhile."""
        return in_order(part for piece in pieces for part in self._parts(piece))

    def _parts(self, piece: Param | bytes) -> Iterator[memoryview | bytes | Callable[[], memoryview]]:
        """What is there, or made sooner than a thread hears of it, and calls for the rest."""
        if isinstance(piece, bytes):
            yield piece
        elif self._there(piece) or math.prod(piece.shape) < WORTH_A_THREAD:
            yield from self.chunks(piece)
        else:
            yield from self._calls(piece, CHUNK)

    def _done(self, param: Param, calls: Iterator[Callable[[], T]]) -> Iterator[T]:
        """What calls for the chunks of a parameter return; they are made at the same time where that pays."""
        if self._there(param) or math.prod(param.shape) <= CHUNK:
            return (call() for call in calls)
        return in_order(calls)

    def _there(self, param: Param) -> bool:
        return self.arrays is not None and param.name in self.arrays

    def _calls(self, param: Param, elements: int) -> Iterator[Callable[[], memoryview]]:
        """A call for the bytes of each chunk of the array."""
        read, dtype = self._reader(param), numpy_dtype(param.dtype).newbyteorder("<")

        def chunk(start: int, stop: int) -> memoryview:
            return np.ascontiguousarray(read(start, stop), dtype).view(np.uint8).data

        return each(chunk, math.prod(param.shape), elements)

    def turned(self, param: Param) -> Iterator[memoryview]:
        """The bytes of a matrix with its axes exchanged, as `chunks` gives them."""
        matrix = self[param].astype(numpy_dtype(param.dtype).newbyteorder("<"), copy=False)
        for row in matrix.T:
            yield np.ascontiguousarray(row).view(np.uint8).data

    def _reader(self, param: Param) -> _Reader:
        if self.arrays is None or param.name in self.drawn:
            return self._recipe(param.recipe, param.dtype)
        if param.name not in self.arrays and isinstance(param.recipe, Number):
            return self._recipe(param.recipe, param.dtype)
        if param.name not in self.arrays:
            raise missing(param.name, self.arrays)
        return _flat(self.arrays[param.name], param.name, param.shape, param.dtype)

    def _recipe(self, recipe: Recipe, dtype: str) -> _Reader:
        match recipe:
            case Quantised():
                return self._quantised(recipe, dtype)
            case ScaleOf():
                scales = self._scales(recipe)
                return lambda start, stop: scales[start:stop]
            case Initial():
                return self._initial(recipe, dtype)
            case Number(value=value):
                return lambda start, stop: rounded(np.full(stop - start, value), dtype)
            case Tiled(source=source, repeats=repeats):
                return _tiled(self._whole(source, dtype), repeats)
            case Transposed(source=source):
                turned = self._whole(source, dtype).T.reshape(-1)
                return lambda start, stop: turned[start:stop]
            case FoldedWeight():
                return self._folded_weight(recipe, dtype)
            case FoldedBias():
                return self._folded_bias(recipe, dtype)

    def _scales(self, recipe: ScaleOf) -> Array:
        """One scale, or one per position of the first axis, as float32; ÷ 127 and the factor are rounded one by one."""
        if recipe.source not in self._largest:
            self._largest[recipe.source] = self._magnitudes(recipe.source)
        most = self._largest[recipe.source]
        if not recipe.per_channel:
            most = most.max(keepdims=True)
        scales = rounded(most / 127, "float32").astype(np.float64)
        return rounded(np.where(scales > 0, scales, 1.0) * recipe.factor, "float32")

    def _magnitudes(self, source: Param) -> Array:
        """The largest magnitude at each position of the first axis, as float64."""
        read, (rows, *rest) = self._reader(source), source.shape
        row = math.prod(rest)

        def largest(first: int, last: int) -> Array:
            most: Array = np.abs(read(first * row, last * row)).reshape(-1, row).max(axis=1)
            return most

        found = self._done(source, each(largest, rows, max(1, CHUNK // row)))
        return np.concatenate([*found]).astype(np.float64)

    def _quantised(self, recipe: Quantised, dtype: str) -> _Reader:
        """Symmetric: the lowest integer of the data type is not used."""
        read, most = self._reader(recipe.source), DTYPES[dtype].high
        scales = self._scales(recipe.scale).astype(np.float64)
        row = math.prod(recipe.source.shape) // len(scales)

        def whole(start: int, stop: int) -> Array:
            quotients = read(start, stop) / _spread(scales, row, start, stop)
            return rounded(np.clip(np.rint(quotients, out=quotients), -most, most, out=quotients), dtype)

        return whole

    def _initial(self, initial: Initial, dtype: str) -> _Reader:
        if self.stored is None or initial.name in self.drawn:
            return lambda start, stop: _rounded(draw(initial, self.seed, start, stop), dtype, initial.name)
        if initial.name not in self.stored:
            raise missing(initial.name, self.stored)
        return _flat(self.stored[initial.name].read(), initial.name, initial.shape, dtype)

    def _whole(self, initial: Initial, dtype: str) -> Array:
        return self._initial(initial, dtype)(0, math.prod(initial.shape)).reshape(initial.shape)

    def _factor(self, recipe: FoldedWeight | FoldedBias, dtype: str) -> Array:
        """scale ÷ √(var + ε), per output channel, in float64; ε is the float32 that ONNX would store."""
        scale, var = (self._whole(initial, dtype).astype(np.float64) for initial in (recipe.scale, recipe.var))
        epsilon = float(np.float32(recipe.epsilon))
        if (var + epsilon <= 0).any():
            what = f"weight {recipe.var.name!r}: a variance of {float(var.min())!r}"
            raise WeightsError(Diagnostic(Where(), "variance", what, "a variance plus epsilon is above 0"))
        factor: Array = scale / np.sqrt(var + epsilon)
        return factor

    def _folded_weight(self, recipe: FoldedWeight, dtype: str) -> _Reader:
        weight, factor = self._recipe(recipe.weight, dtype), self._factor(recipe, dtype)
        shape = _shape(recipe.weight)
        inner = math.prod(shape[recipe.axis + 1 :])
        if recipe.axis == 1:
            # A transposed convolution of g groups: rows of group i lead to the output channels of group i.
            blocks = factor.reshape(-1, shape[1])
            factor = np.repeat(blocks, shape[0] // len(blocks), axis=0).reshape(-1)

        def read(start: int, stop: int) -> Array:
            product = weight(start, stop).astype(np.float64) * _spread(factor, inner, start, stop)
            return _rounded(product, dtype, recipe.scale.name)

        return read

    def _folded_bias(self, recipe: FoldedBias, dtype: str) -> _Reader:
        shift, mean = (self._whole(initial, dtype).astype(np.float64) for initial in (recipe.shift, recipe.mean))
        bias = 0.0 if recipe.bias is None else self._whole(recipe.bias, dtype).astype(np.float64)
        whole = _rounded((bias - mean) * self._factor(recipe, dtype) + shift, dtype, recipe.shift.name)
        return lambda start, stop: whole[start:stop]


def seeded(seed: int = 0) -> Weights:
    """Weights drawn as their initialisers say, from the seed and their names."""
    return Weights(seed)


def given(arrays: Mapping[str, Array], *, drawn: Collection[str] = (), seed: int = 0) -> Weights:
    """The arrays by name of the parameter; those named in `drawn` have none, and are drawn from the seed."""
    return Weights(seed, arrays=arrays, drawn=frozenset(drawn))


def from_file(graph: Graph, path: str | Path) -> Weights:
    """Weights read from a .npz or .safetensors file by the names of the graph's stored arrays.

    Raises `WeightsError` with every tensor that is missing, superfluous, of another shape, or not floating-point where
    the graph has floats and of another type where it has integers.
    Counters named ``….num_batches_tracked``, which torch stores beside a batch norm, are passed over.
    """
    return Weights(stored=matched(graph, Path(path)))


def _shape(recipe: Initial | Tiled) -> tuple[int, ...]:
    if isinstance(recipe, Initial):
        return recipe.shape
    return tuple(n * times for n, times in zip(recipe.source.shape, recipe.repeats, strict=True))


def _flat(array: Array, name: str, shape: tuple[int, ...], dtype: str) -> _Reader:
    if array.shape != shape:
        what = f"weight {name!r} has shape {list(array.shape)}, the layer needs {list(shape)}"
        raise WeightsError(Diagnostic(Where(), "weight-shape", what))
    if array.dtype.name != dtype and array.dtype.kind != "f" and array.dtype.name not in FLOATS:
        raise WeightsError(Diagnostic(Where(), "weight-type", f"weight {name!r} holds {array.dtype}, not floats"))
    flat = array.reshape(-1)
    return lambda start, stop: _rounded(flat[start:stop], dtype, name)


def _spread(values: Array, times: int, start: int, stop: int) -> Array:
    """Elements [start, stop) of the values, each repeated so many times."""
    first, last = start // times, -(-stop // times)
    edges = np.clip(np.arange(first, last + 1) * times, start, stop)
    return np.repeat(values[first:last], np.diff(edges))


def _tiled(source: Array, repeats: tuple[int, ...]) -> _Reader:
    """Rows of the source, each repeated along the axes after the first; as many as are asked for."""
    row = math.prod(source.shape[1:]) * math.prod(repeats[1:])

    def read(start: int, stop: int) -> Array:
        first, last = start // row, -(-stop // row)
        rows = source[np.arange(first, last) % len(source)]
        return np.tile(rows, (1, *repeats[1:])).reshape(-1)[start - first * row : stop - first * row]

    return read


def _rounded(values: Array, dtype: str, name: str) -> Array:
    """Values rounded once to the data type. Raises `WeightsError` where a finite value is too large for it."""
    near = rounded(values, dtype)
    if near is not values and np.isinf(near).any() and (np.isinf(near) & np.isfinite(values)).any():
        most = DTYPES[dtype].high
        what = f"weight {name!r} holds {float(np.abs(values[np.isfinite(values)]).max())!r}"
        raise WeightsError(Diagnostic(Where(), "weight-range", what, f"{dtype} ends at {most!r}", "use a wider dtype"))
    return near
