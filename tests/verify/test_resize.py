"""Positions that lie between two pixels but for rounding: a runtime that computes them in float32 is not blamed for either."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import onnxruntime
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch
from verify.test_curves import Swapped
from verify.test_operators import verdicts

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.execute import apply
from onnxconv.geometry import NEAREST, Computed, Line, Sampling, line
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Rescale, Resize
from onnxconv.verify import Verdict
from onnxconv.verify.judge import nearest, settled
from onnxconv.weights import seeded

onnxruntime.set_default_logger_severity(4)
F32 = np.float32
ROIS = ((0.0, 1.0), (0.25, 0.75), (0.1, 0.9), (-0.5, 1.25), (0.2, 0.8))


def one(op: Resize, x: np.ndarray) -> Graph:
    types = [TensorType("float32", shape) for shape in (x.shape, op.out_shape(x.shape))]
    return Graph("one", (("x", types[0]),), (Node("y", op, ("x",), "y", types[1]),), ("y",))


def drawn(seed: int, count: int) -> Iterator[tuple[Resize, int]]:
    """Resizes of n positions to another number of them, by sizes, scales and crops."""
    choose = random.Random(seed)
    for _ in range(count):
        n, out = (choose.randint(1, 5) * k for k in choose.sample(range(1, 9), 2))
        roi = choose.choice(ROIS)
        coordinates = choose.choice(
            (
                "half_pixel",
                "half_pixel_symmetric",
                "pytorch_half_pixel",
                "align_corners",
                "asymmetric",
                "tf_crop_and_resize",
            )
        )
        cropped = coordinates == "tf_crop_and_resize"
        mode = choose.choice(("nearest", "linear")) if cropped else "nearest"
        if n == out:  # onnxruntime 1.32 copies, wherever the positions lie
            continue
        axis = Rescale(2, size=out, roi=roi if cropped else (0.0, 1.0))
        scale = choose.randint(1, 9), choose.randint(1, 9)
        if not cropped and choose.random() < 0.4 and n * scale[0] // scale[1] not in (0, n):
            axis = Rescale(2, scale)
        yield Resize((axis,), Sampling(mode, nearest=choose.choice(NEAREST)), coordinates, -7.0 if cropped else 0.0), n


def test_onnxruntime_is_never_blamed_for_a_rounding() -> None:
    """Positions as values tell which one was read. Some of the resizes it computes otherwise than in exact numbers."""
    otherwise = 0
    for op, n in drawn(0, 150):
        x = np.arange(1, n + 1, dtype=F32).reshape(1, 1, n)
        graph = one(op, x)
        (got,) = onnxruntime.InferenceSession(to_bytes(graph, seeded(), EmitOptions(19, 9))).run(None, {"x": x})
        node, limit = graph.nodes[0], 0 if op.sampling.mode == "nearest" else 1e-4
        y = apply(node, [x], {})
        otherwise += bool((np.abs(got - y) > limit).any())
        assert (np.abs(got - nearest(node, [x], y, got)) <= limit).all(), (op, n)
    assert otherwise >= 2


def net(op: Resize) -> Graph:
    s = Sketch(("N", 3, 10, 9))
    s.conv(5)
    s.add(op)
    s.conv(4)
    return s.graph()


FLOORED = Resize((Rescale(2, size=6), Rescale(3, size=6)), Sampling(nearest="floor"))
CROPPED = Resize((Rescale(2, size=7, roi=(0.25, 0.75)),), Sampling(nearest="ceil"), "tf_crop_and_resize", 3.0)


@pytest.mark.parametrize("op", [FLOORED, CROPPED], ids=["10 to 6", "cropped"])
def test_a_network_is_not_blamed_either(op: Resize) -> None:
    """(o + ½) · 10 ÷ 6 − ½ is 2 for o = 1, and in float32 less; the definition reads pixel 2, onnxruntime 1.32 pixel 1."""
    found = verdicts(net(op), InProcess())
    assert found["exact"] is found["bound"] is Verdict.PASS
    assert found["routing"] in (Verdict.PASS, Verdict.UNTRUSTED)


@pytest.mark.parametrize("op", [FLOORED, CROPPED], ids=["10 to 6", "cropped"])
def test_another_pixel_is_still_found_out(op: Resize) -> None:
    for rounding in {"floor", "ceil", "round_prefer_floor"} - {op.sampling.nearest}:
        other = Resize(op.axes, Sampling(nearest=rounding), op.coordinates, op.extrapolation)
        assert verdicts(net(op), Swapped(op, other))["exact"] is Verdict.FAIL


@pytest.mark.parametrize(
    ("op", "sure"),
    [
        (Resize((Rescale(2, (2, 1)), Rescale(3, (1, 4))), Sampling(nearest="floor"), "asymmetric"), True),
        (Resize((Rescale(2, (3, 1)),)), True),
        (Resize((Rescale(2, size=19),), Sampling(nearest="floor"), "align_corners"), True),
        (Resize((Rescale(2, size=21),), Sampling("linear")), True),
        (Resize((Rescale(2, (3, 1)),), Sampling(nearest="floor"), "asymmetric"), False),
        (FLOORED, False),
        (CROPPED, False),
    ],
)
def test_where_nothing_rounds_one_pixel_alone_is_right(op: Resize, sure: bool) -> None:
    """Scales that are powers of two, positions far from any border; align_corners of 10 to 19 halves."""
    graph = net(op)
    node = next(node for node in graph.nodes if node.op == op)
    assert settled(node, [np.zeros((1, 5, 10, 9))]) is sure


WAYS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "half_pixel": lambda o, n, out: (o + F32(0.5)) / (F32(out) / F32(n)) - F32(0.5),
    "half_pixel by the reciprocal": lambda o, n, out: (o + F32(0.5)) * (F32(n) / F32(out)) - F32(0.5),
    "half_pixel, fused": lambda o, n, out: (o.astype(float) * float(F32(n) / F32(out)) + 0.5 * n / out - 0.5).astype(
        F32
    ),
    "asymmetric": lambda o, n, out: o / (F32(out) / F32(n)),
    "asymmetric by the reciprocal": lambda o, n, out: o * (F32(1) / (F32(out) / F32(n))),
    "align_corners": lambda o, n, out: o * F32(n - 1) / F32(max(1, out - 1)),
    "align_corners by the step": lambda o, n, out: o * (F32(n - 1) / F32(max(1, out - 1))),
    "tf_crop_and_resize": lambda o, n, out: (
        F32(0.1) * F32(n - 1) + o * (F32(0.9) - F32(0.1)) * F32(n - 1) / F32(out - 1)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_computing_a_position_in_float32_leaves_the_interval(way: str) -> None:
    coordinates, worst = way.split(" ")[0].rstrip(","), 0.0
    roi = (float(F32(0.1)), float(F32(0.9)))
    for n in (1, 2, 7, 10, 24, 99, 1000):
        for out in (2, 3, 6, 11, 57, 640):
            lies = line(n, out, Fraction(out, n), coordinates, roi)
            assert isinstance(lies, Line)
            terms = 1 + abs(lies.step) + (4 * n if "crop" in way else 0)
            found = WAYS[way](np.arange(out, dtype=F32), n, out).astype(np.float64)
            exact = np.array([float(lies.at(o)) for o in range(out)])
            ends = [Computed(lies, Fraction(terms), side).over(out) for side in (-1, 1)]
            low, high = (np.array([float(Fraction(int(a), below)) for a in above]) for above, below in ends)
            assert ((low <= found) & (found <= high)).all()
            worst = max(worst, float((np.abs(found - exact) / (high - exact)).max()))
    assert 0.01 < worst < 1
