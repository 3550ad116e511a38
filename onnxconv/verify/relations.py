"""Probe `relations`: what a convolution must have in common with other convolutions, without any reference.

Every layer is compared with the same runtime on a rewritten problem whose result is known from the first: padding beforehand,
a stride of 1 and every s-th output, a kernel with the zeros of its dilation written out, one group at a time, one image at
a time, a shifted input, a sum of inputs. And once with a sum over the taps written out here, in NumPy, apart from the
executor. Operands are integers whose sums are exact, so that equality is demanded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnxconv.graph import Graph, Node, TensorType
from onnxconv.verify.case import Case, judged, outputs_of
from onnxconv.verify.compare import Comparison, all_same, merge, within
from onnxconv.verify.exact import layers
from onnxconv.verify.instance import Instance, instances
from onnxconv.verify.sizes import concrete
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import Array
from onnxconv.weights import given

__all__ = ["RELATIONS", "applies", "cropped", "relations", "written_out"]

KINDS = ("Conv", "ConvTranspose")
PLACES = 12
"""Places of a window along an axis that are looked at, beyond those that meet a border."""
PATCHES = 1 << 26
"""Numbers in the patches under a kernel with zeros, for one image: 256 MB, which is what a runtime may write out."""


@dataclass(frozen=True)
class Layer:
    """A layer that a runtime can be asked about: `run(node, x, w)` gives the output in float64."""

    node: Node
    x: Array
    w: Mapping[str, Array]
    run: Callable[[Node, Array, Mapping[str, Array]], Array]

    @property
    def window(self) -> tuple[Any, ...]:
        return tuple(self.node.op.window)  # type: ignore[attr-defined]

    @property
    def transposed(self) -> bool:
        return self.node.op.kind == "ConvTranspose"

    def changed(self, **attributes: Any) -> Node:
        return replace(self.node, op=replace(self.node.op, **attributes))  # type: ignore[type-var]

    def sliding(self, *axes: Any) -> Node:
        return self.changed(window=tuple(axes))


def applies(graph: Graph) -> bool:
    return any(node.op.kind in KINDS for node in graph.nodes)


def relations(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first layer that breaks a relation, or that all keep all.

    Untrusted where what a relation compares does not depend on the input: it could not have been broken.
    """
    found = [node for node in layers(case.graph) if node.op.kind in KINDS and len(node.inputs) == 1]
    shapes = concrete(case.graph, 2)
    total: Comparison | None = None
    kept: dict[str, int] = {}
    blind: list[str] = []
    for done, node in enumerate(found):
        instance = _operands(case, node, cropped(node, shapes[node.inputs[0]]))
        layer = Layer(node, instance.xs[0], instance.weights, _runner(case))
        y = layer.run(node, layer.x, layer.w)
        for name, relation in RELATIONS.items():
            case.advance(done / len(found), f"relations: {node.name}, {name}")
            for left, right in relation(layer, y):
                if left.shape != right.shape:
                    what = f"layer {node.name!r}: {name}: {list(left.shape)} and {list(right.shape)} differ in shape"
                    yield Finding(case.output, Verdict.FAIL, what)
                    return
                comparison = within(left, right, 0.0)
                total = merge(total, comparison)
                kept[name] = kept.get(name, 0) + 1
                if not _telling(layer, right):
                    blind.append(f"{name} of {node.name!r}")
                if comparison.mismatches:
                    mine = replace(comparison, elements=total.elements)
                    finding = judged(case.output, mine, node, note=f"relation: {name}")
                    yield replace(finding, reason=f"{finding.reason}; relation: {name}")
                    return
    yield _summary(case, found, total, kept, blind)


def _telling(layer: Layer, y: Array) -> bool:
    """Without its bias y is not all zero, nor one value throughout; of a single group the bias stays."""
    bias = layer.w.get("bias")
    if bias is not None and len(bias) == y.shape[1]:
        y = y - bias.astype(np.float64).reshape(-1, *[1] * (y.ndim - 2))
    return bool(y.any()) and (y.size == 1 or not all_same(y))


def _summary(
    case: Case, found: list[Node], total: Comparison | None, kept: Mapping[str, int], blind: list[str]
) -> Finding:
    if total is None:
        return Finding(case.output, Verdict.UNTRUSTED, "no layer convolves")
    note = f"{len(found)} distinct layers keep {sum(kept.values())} relations: " + ", ".join(
        f"{name} {count}" for name, count in kept.items()
    )
    more = f" and {len(blind) - 1} more" if len(blind) > 1 else ""
    reason = f"what is compared does not depend on the input: {blind[0]}{more}" if blind else ""
    verdict = Verdict.UNTRUSTED if blind else Verdict.PASS
    return Finding(case.output, verdict, reason, 0, total.elements, note=note)


def cropped(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """No more pixels than it takes a window to see every border and some places between; all channels."""
    window: Any = getattr(node.op, "window", None)
    if not window:
        return shape
    return (*shape[:2], *(min(n, 2 * a.extent + PLACES * a.stride) for a, n in zip(window, shape[2:], strict=True)))


def _operands(case: Case, node: Node, shape: tuple[int, ...]) -> Instance:
    """Integers so small that twice their sum is exact too, for the sum of two inputs."""
    make = next(iter(instances(node, node.type.dtype, (case.seed, "relations", str(node.op)))))
    made = make((shape,))
    return replace(made, xs=(np.trunc(made.xs[0] / 2).astype(made.xs[0].dtype),))


def _runner(case: Case) -> Callable[[Node, Array, Mapping[str, Array]], Array]:
    def run(node: Node, x: Array, w: Mapping[str, Array]) -> Array:
        dtype = node.type.dtype
        shape = tuple(int(n) for n in node.op.out_shape(x.shape))
        params = tuple((role, replace(param, shape=w[role].shape)) for role, param in node.params)
        one = replace(node, type=TensorType(dtype, shape), params=params)
        graph = Graph(node.name, ((node.inputs[0], TensorType(dtype, x.shape)),), (one,), (node.output,))
        case.bench.load(graph, given({param.name: w[role] for role, param in params}))
        return outputs_of(case.bench, graph, {node.inputs[0]: np.ascontiguousarray(x)})[node.output].astype(np.float64)

    return run


Pairs = Iterator[tuple[Array, Array]]
"""Arrays that must be equal."""


def _taps(layer: Layer, y: Array) -> Pairs:
    """The sum over the taps, written out."""
    yield y, written_out(layer.node, layer.x, layer.w)


def _padding(layer: Layer, y: Array) -> Pairs:
    """Padding beforehand."""
    if layer.transposed or not any(any(axis.pad) for axis in layer.window):
        return
    bare = layer.sliding(*(replace(axis, pad=(0, 0)) for axis in layer.window))
    padded = np.pad(layer.x, ((0, 0), (0, 0), *(axis.pad for axis in layer.window)))
    yield layer.run(bare, padded, layer.w), y


def _cropping(layer: Layer, y: Array) -> Pairs:
    """The pads of a transposed convolution crop what it gives without."""
    if not layer.transposed or not any(any(axis.pad) for axis in layer.window):
        return
    whole = layer.run(layer.sliding(*(replace(axis, pad=(0, 0)) for axis in layer.window)), layer.x, layer.w)
    cut = tuple(slice(axis.pad[0], axis.pad[0] + n) for axis, n in zip(layer.window, y.shape[2:], strict=True))
    if all(s.stop <= n for s, n in zip(cut, whole.shape[2:], strict=True)):
        yield whole[_at(cut)], y


def _stride(layer: Layer, y: Array) -> Pairs:
    """Every s-th output of stride 1."""
    if layer.transposed or all(axis.stride == 1 for axis in layer.window):
        return
    dense = layer.run(layer.sliding(*(replace(axis, stride=1) for axis in layer.window)), layer.x, layer.w)
    steps = tuple(slice(0, (n - 1) * a.stride + 1, a.stride) for a, n in zip(layer.window, y.shape[2:], strict=True))
    yield dense[_at(steps)], y


def _dilation(layer: Layer, y: Array) -> Pairs:
    """A kernel with its zeros written out; of few channels and filters where all would take too much memory."""
    if all(axis.dilation == 1 for axis in layer.window):
        return
    extents = tuple(axis.extent for axis in layer.window)
    few = max(1, PATCHES // (math.prod(extents) * math.prod(y.shape[2:])))
    if layer.node.op.groups == 1 and not layer.transposed and max(layer.w["weight"].shape[:2]) > few:  # type: ignore[attr-defined]
        layer = _thin(layer, few)
        y = layer.run(layer.node, layer.x, layer.w)
    weight = layer.w["weight"]
    stuffed = np.zeros((*weight.shape[:2], *extents), weight.dtype)
    stuffed[_at(slice(None, None, axis.dilation) for axis in layer.window)] = weight
    plain = layer.sliding(*(replace(axis, size=axis.extent, dilation=1) for axis in layer.window))
    yield layer.run(plain, layer.x, {**layer.w, "weight": stuffed}), y


def _thin(layer: Layer, few: int) -> Layer:
    """The first channels and filters alone."""
    w = {role: a[:few] for role, a in layer.w.items()}
    w["weight"] = w["weight"][:, :few]
    return replace(layer, node=layer.changed(out_channels=len(w["weight"])), x=layer.x[:, :few], w=w)


def _groups(layer: Layer, y: Array) -> Pairs:
    """The first and the last group alone."""
    groups = int(layer.node.op.groups)  # type: ignore[attr-defined]
    if groups == 1:
        return
    into, out = layer.x.shape[1] // groups, y.shape[1] // groups
    rows = into if layer.transposed else out
    for group in sorted({0, groups - 1}):
        share, outs = slice(group * into, (group + 1) * into), slice(group * out, (group + 1) * out)
        w = {role: a[outs] for role, a in layer.w.items()}
        w["weight"] = layer.w["weight"][group * rows : (group + 1) * rows]
        yield layer.run(layer.changed(groups=1, out_channels=out), layer.x[:, share], w), y[:, outs]


def _batch(layer: Layer, y: Array) -> Pairs:
    """One image at a time."""
    if len(y) > 1:
        last = len(y) - 1
        yield layer.run(layer.node, layer.x[last:], layer.w), y[last:]


def _translation(layer: Layer, _: Array) -> Pairs:
    """A shifted input, on a canvas with a border that no window leaves."""
    bare = layer.sliding(*(replace(axis, pad=(0, 0)) for axis in layer.window))
    moves = [1 if layer.transposed else axis.stride for axis in layer.window]
    steps = [axis.stride if layer.transposed else 1 for axis in layer.window]
    here = np.pad(
        layer.x[:1],
        ((0, 0), (0, 0), *((0, move + axis.extent) for move, axis in zip(moves, layer.window, strict=True))),
    )
    there = np.roll(here, moves, axis=tuple(range(2, here.ndim)))
    first, second = layer.run(bare, here, layer.w), layer.run(bare, there, layer.w)
    inner = tuple(slice(0, n - step) for n, step in zip(first.shape[2:], steps, strict=True))
    shifted = tuple(slice(step, n) for n, step in zip(first.shape[2:], steps, strict=True))
    yield second[_at(shifted)], first[_at(inner)]


def _sum(layer: Layer, y: Array) -> Pairs:
    """A sum of inputs gives the sum of outputs, the bias once."""
    x = layer.x[:1]
    other = x[:, ::-1] if x.shape[1] > 1 else -x[..., ::-1]
    bias = layer.w["bias"].astype(np.float64).reshape(1, -1, *[1] * (x.ndim - 2)) if "bias" in layer.w else 0.0
    yield layer.run(layer.node, x + other, layer.w), y[:1] + layer.run(layer.node, other, layer.w) - bias


RELATIONS: Mapping[str, Callable[[Layer, Array], Pairs]] = {
    "taps": _taps,
    "padding": _padding,
    "cropping": _cropping,
    "stride": _stride,
    "dilation": _dilation,
    "groups": _groups,
    "batch": _batch,
    "translation": _translation,
    "sum": _sum,
}
"""Every relation by name; those that a layer has no use for give no pairs."""


def written_out(node: Node, x: Array, w: Mapping[str, Array]) -> Array:
    """The sum over the taps in float64, a product of matrices a tap; for a transposed convolution its adjoint."""
    op: Any = node.op
    groups, transposed = int(op.groups), op.kind == "ConvTranspose"
    weight = w["weight"].astype(np.float64)
    outs = tuple(int(n) for n in op.out_shape(x.shape)[2:])
    parts = []
    for group, block in enumerate(np.split(x.astype(np.float64), groups, axis=1)):
        rows = len(weight) // groups
        kernel = weight[group * rows : (group + 1) * rows]
        parts.append((_scattered if transposed else _gathered)(op.window, block, kernel, outs))
    y = np.concatenate(parts, axis=1)
    return y + w["bias"].astype(np.float64).reshape(1, -1, *[1] * len(outs)) if "bias" in w else y


def _gathered(window: Any, x: Array, kernel: Array, outs: tuple[int, ...]) -> Array:
    """y[o] = Σ_k w[k] · x[o·stride − begin + k·dilation], pixels outside counting as 0."""
    border = [
        (axis.pad[0], max(0, (n - 1) * axis.stride + axis.extent - size - axis.pad[0]))
        for axis, n, size in zip(window, outs, x.shape[2:], strict=True)
    ]
    padded = np.pad(x, ((0, 0), (0, 0), *border))
    y = np.zeros((len(x), len(kernel), *outs))
    for tap in np.ndindex(kernel.shape[2:]):
        seen = tuple(
            slice(k * axis.dilation, k * axis.dilation + (n - 1) * axis.stride + 1, axis.stride)
            for k, axis, n in zip(tap, window, outs, strict=True)
        )
        y += _mixed(kernel[_at(tap)], padded[_at(seen)])
    return y


def _scattered(window: Any, x: Array, kernel: Array, outs: tuple[int, ...]) -> Array:
    """x[i] adds w[k]·x[i] to y[i·stride − begin + k·dilation]; outputs outside are cropped."""
    whole = [
        max((n - 1) * a.stride + a.extent, a.pad[0] + out) for a, n, out in zip(window, x.shape[2:], outs, strict=True)
    ]
    y = np.zeros((len(x), kernel.shape[1], *whole))
    for tap in np.ndindex(kernel.shape[2:]):
        met = tuple(
            slice(k * axis.dilation, k * axis.dilation + (n - 1) * axis.stride + 1, axis.stride)
            for k, axis, n in zip(tap, window, x.shape[2:], strict=True)
        )
        y[_at(met)] += _mixed(kernel[_at(tap)].T, x)
    cut: Array = y[_at(slice(a.pad[0], a.pad[0] + out) for a, out in zip(window, outs, strict=True))]
    return cut


def _at(spatial: Iterable[Any]) -> tuple[Any, ...]:
    """An index of all images and channels, and of these positions."""
    return (slice(None), slice(None), *spatial)


def _mixed(matrix: Array, x: Array) -> Array:
    """matrix[M, C] applied to the channels of x[N, C, *S]."""
    y: Array = matrix @ x.reshape(len(x), x.shape[1], -1)
    return y.reshape(len(x), len(matrix), *x.shape[2:])
