"""Probe `impulse`: the user's own weights, read back one by one through every layer that sums products.

A layer gets inputs that are zero but for impulses ±2^k so far apart that no output sees two of them. Then an output is
one product, which a power of two leaves exact, and the bias: a single rounding, whatever the order of the sum. The
expected value is bit-exact for every direct evaluation, on real-valued weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.execute import apply
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.verify.arithmetic import DIRECT, Layer, allowed
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, merge, outputs_differ, within
from onnxconv.verify.draw import Stream
from onnxconv.verify.sizes import concrete
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import PRODUCTS, Array
from onnxconv.weights import given

__all__ = ["Impulses", "applies", "impulse", "impulses"]

BUDGET = 1 << 28
"""Multiply-adds spent on one layer; where weights remain unread then, the coverage says so."""
FAINT = 0.02
"""Share of the weights whose products with an impulse may be smaller than a bias, and lose bits in its sum."""
ELEMENTS = 1 << 23
"""Numbers in the inputs, or in the outputs, of one layer."""


@dataclass(frozen=True)
class Impulses:
    """x[B, C, *S], zero but for the impulses. seen[C, *K]: the weights of a filter that were read, now or before."""

    x: Array
    seen: Array


def applies(graph: Graph) -> bool:
    """Some layer sums products of floating-point numbers."""
    return any(map(_sums, graph.nodes))


def _sums(node: Node) -> bool:
    return node.op.kind in PRODUCTS and "weight" in dict(node.params) and len(node.inputs) == 1


def impulse(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first layer with a wrong output, or that all agree."""
    chosen = [node for node in case.graph.nodes if _sums(node)]
    shapes = concrete(case.graph, 1)
    total: Comparison | None = None
    unread: list[str] = []
    read = weights = 0.0
    for done, node in enumerate(chosen):
        case.advance(done / len(chosen), f"impulse: {node.name}")
        w = {role: case.weights[param] for role, param in node.params}
        scale = _scale(w, node.type.dtype)
        if scale is None:
            unread.append(node.name)
            continue
        seen: Array | None = None
        for trial in range(case.trials):
            stream = Stream("impulse", case.seed + trial, node.name)
            made = impulses(node, shapes[node.inputs[0]], scale, stream, seen)
            seen = made.seen
            found = _try(case, node, w, made.x)
            if isinstance(found, str):
                yield Finding(case.output, Verdict.FAIL, f"layer {node.name!r} alone: {found}")
                return
            total = merge(total, found)
            if found.mismatches:
                mine = replace(found, elements=total.elements, max_error=total.max_error)
                yield judged(case.output, mine, node, note="one layer alone, impulses on its own weights")
                return
        read, weights = read + float(made.seen.mean()) * w["weight"].size, weights + w["weight"].size
    yield _summary(case, chosen, total, unread, read / weights if weights else 0.0)


def _summary(case: Case, chosen: list[Node], total: Comparison | None, unread: list[str], share: float) -> Finding:
    if total is None:
        what = "no weight can be read back" if unread else "no layer sums products"
        return Finding(case.output, Verdict.UNTRUSTED, what)
    note = f"{len(chosen)} layers on their own weights, each alone, equal bit for bit"
    reason = f"the weights of {', '.join(unread)} are all zero, not finite, or too far apart" if unread else ""
    return Finding(
        case.output,
        Verdict.UNTRUSTED if unread else Verdict.PASS,
        reason,
        0,
        total.elements,
        total.max_error,
        total.bound_used,
        coverage={"weights": share},
        note=note,
    )


def _scale(w: Mapping[str, Array], dtype: str) -> int | None:
    """The k for which products w·2^k are normal numbers, none overflows, and few vanish beside the bias.

    None where there is none: all weights are zero, some are not finite, or too far apart.
    """
    weight, bias = np.abs(w["weight"].astype(np.float64)), np.abs(w.get("bias", np.zeros(1)).astype(np.float64))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all() and weight.any()):
        return None
    smallest, largest = (math.frexp(v)[1] for v in (DTYPES[dtype].normal, DTYPES[dtype].high))  # 2^(s − 1), < 2^l
    some = weight[weight > 0]
    least = smallest - math.frexp(float(some.min()))[1]
    most = min(largest - 2, largest - 2 - math.frexp(max(float(some.max()), float(bias.max())))[1])
    wanted = math.frexp(float(bias.max()))[1] - math.frexp(float(np.quantile(some, FAINT)))[1] + 2 if bias.any() else 0
    return min(max(wanted, least, smallest), most) if least <= most else None


def impulses(node: Node, shape: tuple[int, ...], scale: int, stream: Stream, before: Array | None = None) -> Impulses:
    """As many images as it takes to read every weight of a filter that was not read `before`, or as `BUDGET` allows.

    Weights that meet padding alone, wherever the filter is laid, are never read, and not waited for.
    Image by image the channels of which least was read are taken, each in a place drawn, and the grid of impulses begins elsewhere.
    """
    axes = getattr(node.op, "window", ())
    channels, sizes = shape[1], shape[2:]
    hits = [_hits(axis, n) for axis, n in zip(axes, sizes, strict=True)]
    images = _images(node, shape)
    x = np.zeros((images, *shape[1:]), numpy_dtype(node.type.dtype))
    seen = np.zeros((channels, *(h.shape[1] for h in hits)), bool) if before is None else before.copy()
    legible = np.ix_(np.ones(channels, bool), *(h.any(axis=0) for h in hits))
    order = stream.order(channels)
    for image in range(images):
        grid = [_places(axis, n, stream) for axis, n in zip(axes, sizes, strict=True)]
        places = [p.reshape(-1) for p in np.meshgrid(*grid, indexing="ij")] if grid else []
        count = places[0].size if places else 1
        least = np.argsort(seen.reshape(channels, -1)[order].sum(axis=1), kind="stable")
        chosen = order[least[stream.order(count) % channels]]
        x[image][(chosen, *places)] = np.ldexp(stream.signs(count).astype(np.float64), scale)
        _note(seen, chosen, [h[p] for h, p in zip(hits, places, strict=True)])
        if seen[legible].all():
            return Impulses(x[: image + 1], seen)
    return Impulses(x, seen)


def _images(node: Node, shape: tuple[int, ...]) -> int:
    one = (1, *shape[1:])
    terms = node.op.work(one).macs
    outs = math.prod(int(n) for n in node.op.out_shape(one))
    return max(1, min(BUDGET // max(1, terms), ELEMENTS // max(outs, math.prod(one))))


def _places(axis: Any, n: int, stream: Stream) -> Array:
    """Positions along an axis, so far apart that no output sees two: an extent, or what a transposed one steps over."""
    apart = -(-axis.extent // axis.stride) if _transposed(axis) else axis.extent
    return np.arange(int(stream.below(min(apart, n), 1)[0]), n, apart)


def _hits(axis: Any, n: int) -> Array:
    """[n, taps]: position i meets an output at tap k."""
    at, tap = np.arange(n)[:, None], np.arange(int(axis.size))[None, :]
    outs, stride, dilation, begin = int(axis.out_size(n)), int(axis.stride), int(axis.dilation), int(axis.pad[0])
    met: Array
    if _transposed(axis):
        out = at * stride - begin + tap * dilation
        met = (out >= 0) & (out < outs)
    else:
        lifted = at + begin - tap * dilation
        met = (lifted % stride == 0) & (lifted >= 0) & (lifted < outs * stride)
    return met


def _transposed(axis: Any) -> bool:
    return hasattr(axis, "output_pad")


def _note(seen: Array, channels: Array, hits: list[Array]) -> None:
    """Mark what each impulse reads: those taps of its channel that meet an output along every axis."""
    met = np.ones((channels.size, 1), bool)
    for hit in hits:
        met = (met[:, :, None] & hit[:, None, :]).reshape(channels.size, -1)
    np.logical_or.at(seen.reshape(len(seen), -1), channels, met)


def _try(case: Case, node: Node, w: Mapping[str, Array], x: Array) -> Comparison | str:
    """The layer alone on the runtime, compared; or what is wrong with its output as a whole."""
    dtype, name = node.type.dtype, node.inputs[0]
    with np.errstate(all="ignore"):
        y = rounded(apply(node, (x,), w), dtype)
    one = replace(node, type=TensorType(dtype, y.shape))
    case.bench.load(
        Graph(node.name, ((name, TensorType(dtype, x.shape)),), (one,), (node.output,)),
        given({param.name: w[role] for role, param in node.params}),
    )
    got = case.bench.run({name: x})
    limit = 0.0 if case.arithmetic == DIRECT else allowed(Layer(node, (x,), w, y.astype(np.float64)), case.arithmetic)
    return outputs_differ(got, {node.output: (dtype, y.shape)}) or within(got[node.output], y, limit)
