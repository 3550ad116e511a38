"""Documents and verifications written by hand, in the form that the contract shows."""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]


def axis(
    size: int, stride: int = 1, dilation: int = 1, pad: tuple[int, int] = (0, 0), unused: int | None = 0
) -> Document:
    extent = dilation * (size - 1) + 1
    return {
        "size": size,
        "stride": stride,
        "dilation": dilation,
        "pad": list(pad),
        "extent": extent,
        "unused_end": unused,
    }


def field(
    size: list[int | None] | None,
    stride: list[int | str | None] | None = None,
    padding: list[int] | None = None,
    samples: list[int | None] | None = None,
    aligned: bool = True,
    exact: bool = True,
) -> Document:
    return {
        "size": size,
        "stride": stride,
        "padding": padding,
        "samples": samples or size,
        "aligned": aligned,
        "exact": exact,
    }


def layer(name: str, op: str, inputs: list[str], shape: list[int | str], fields: Document, **more: Any) -> Document:
    amounts = {"params": 0, "macs": 0, "valid_macs": 0, "activation_bytes": 4, "weight_bytes": 0}
    window, context = more.pop("window", []), more.pop("context", {})
    return {
        "name": name,
        "op": op,
        "inputs": inputs,
        "output": name,
        "output_shape": shape,
        **amounts,
        **more,
        "window": window,
        "receptive_field": fields,
        "context": context,
    }


def sight(
    field: list[int] | None,
    seen: list[int] | None,
    samples: int | None,
    clipped: tuple[int, int | None] = (0, 0),
    holes: list[list[int]] | None = None,
    exact: bool = True,
) -> Document:
    return {
        "field": field,
        "seen": seen,
        "clipped": list(clipped),
        "samples": samples,
        "holes": holes or [],
        "exact": exact,
    }


PLAIN: Document = {
    "source": "specs/small.yaml",
    "name": "small",
    "digest": "sha256:00",
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 3, 224, 224]}],
    "outputs": [{"name": "fc", "dtype": "float32", "shape": ["N", 1000]}],
    "layers": [
        layer(
            "stem",
            "Conv",
            ["x"],
            ["N", 64, 112, 112],
            {"x": field([7, 7], [2, 2], [3, 3])},
            params=9408,
            macs=118013952,
            valid_macs=116214528,
            activation_bytes=3211264,
            weight_bytes=37632,
            window=[axis(7, 2, pad=(3, 3))] * 2,
        ),
        layer("stem.relu", "Relu", ["stem"], ["N", 64, 112, 112], {"x": field([7, 7], [2, 2], [3, 3])}),
        layer("pool", "GlobalAveragePool", ["stem.relu"], ["N", 64, 1, 1], {"x": field(None)}),
        layer("flatten", "Flatten", ["pool"], ["N", 64], {"x": field(None)}),
        layer(
            "fc", "Gemm", ["flatten"], ["N", 1000], {"x": field(None)}, params=65000, macs=64000, weight_bytes=260000
        ),
    ],
    "totals": {
        "params": 74408,
        "macs": 118077952,
        "valid_macs": 116278528,
        "weight_bytes": 297632,
        "peak_activation_bytes": 6422528,
        "left_out": 0,
    },
    "unread": [],
    "advice": [],
    "sample_rate": None,
    "positions": [],
}

ODD: Document = {
    "source": "-",
    "name": "odd | one",
    "digest": "sha256:01",
    "inputs": [
        {"name": "left", "dtype": "float32", "shape": ["N", 1, "H", "W"]},
        {"name": "right", "dtype": "float32", "shape": ["N", 1, "H", "W"]},
    ],
    "outputs": [{"name": "<sum>", "dtype": "float32", "shape": ["N", 8, "(H+1)//2", "(W+1)//2"]}],
    "layers": [
        layer(
            "a_very_long_scope.with_many.parts_in.its_name.conv",
            "Conv",
            ["left"],
            ["N", 8, "(H+1)//2", "(W+1)//2"],
            {"left": field([13, 3], [2, 2], [6, 1], [3, 3])},
            params=80,
            macs=None,
            valid_macs=None,
            activation_bytes=None,
            weight_bytes=320,
            window=[axis(3, 2, 6, (6, 6), None), axis(3, 2, 1, (0, 1), None)],
        ),
        layer(
            "up",
            "ConvTranspose",
            ["right"],
            ["N", 8, "2*H", "2*W"],
            {"right": field([1, 1], ["1/2", "1/2"], [0, 0])},
            params=40,
            macs=None,
            valid_macs=None,
            activation_bytes=None,
            window=[{**axis(2, 2, unused=None), "output_pad": 0}] * 2,
        ),
        layer(
            "<sum>",
            "Add",
            ["a_very_long_scope.with_many.parts_in.its_name.conv", "up"],
            ["N", 8, "(H+1)//2", "(W+1)//2"],
            {
                "left": field([13, 3], [2, 2], [6, 1], [3, 3]),
                "right": field([None, 5], [None, "1/2"], [0, 0], [None, 5], aligned=False),
            },
            activation_bytes=None,
        ),
    ],
    "totals": {
        "params": 120,
        "macs": None,
        "valid_macs": None,
        "weight_bytes": 480,
        "peak_activation_bytes": None,
        "left_out": 0,
    },
    "unread": [],
    "advice": [
        {
            "code": "dropped-pixels",
            "layer": "up",
            "message": "one pixel at the end of axis 0 is read by no window, so that what it shows has no influence on the "
            "result; pad one more, or crop the input",
        }
    ],
    "sample_rate": None,
    "positions": [
        {
            "layer": "<sum>",
            "position": [0, 40],
            "inputs": {
                "left": [
                    sight([-6, 6], [0, 6], 2, (6, None), [[1, 5]]),
                    sight([79, 81], None, 0, (0, 3)),
                ],
                "right": [sight(None, None, None), sight([80, 88], [80, 88], 3, (0, None), [[81, 84], [86, 87]])],
            },
        },
        {
            "layer": "guessed",
            "position": [],
            "inputs": {"left": [sight(None, [0, 7], 8, exact=False), sight(None, None, None, exact=False)]},
        },
        {"layer": "up", "position": [3, 3], "inputs": {"right": [sight([1, 1], [1, 1], 1, (0, None))] * 2}},
    ],
}

SIGNAL: Document = {
    "source": "specs/sound.yaml",
    "name": "sound",
    "digest": "sha256:02",
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 1, 16000]}],
    "outputs": [
        {"name": "frames", "dtype": "float32", "shape": ["N", 8, 3999]},
        {"name": "mixed", "dtype": "float32", "shape": ["N", 8, 3999]},
        {"name": "mean", "dtype": "float32", "shape": ["N", 8, 1]},
        {"name": "last", "dtype": "float32", "shape": ["N", 8]},
        {"name": "guess", "dtype": "float32", "shape": ["N", 8]},
    ],
    "layers": [
        layer(
            "frames",
            "Conv",
            ["x"],
            ["N", 8, 3999],
            {"x": field([11], [4], [2], [6])},
            window=[axis(6, 4, 2, (2, 2))],
            context={
                "x": {
                    "left": 2,
                    "right": 8,
                    "look_ahead": 8,
                    "latency": 11,
                    "hop": 4,
                    "seconds": {
                        "left": 0.000125,
                        "right": 0.0005,
                        "look_ahead": 0.0005,
                        "latency": 0.0006875,
                        "hop": 0.00025,
                        "rate": 4000.0,
                    },
                }
            },
        ),
        layer(
            "mixed", "Add", ["frames", "frames"], ["N", 8, 3999], {"x": field([None], [None], [2])}, context={"x": None}
        ),
        layer("mean", "GlobalAveragePool", ["frames"], ["N", 8, 1], {"x": field(None)}, context={"x": None}),
        layer("last", "Gather", ["frames"], ["N", 8], {"x": field([11], [0], [-15990])}, context={"x": None}),
        layer("guess", "Loop", ["frames"], ["N", 8], {"x": field(None, exact=False)}, context={"x": None}),
    ],
    "totals": {
        "params": 56,
        "macs": 191952,
        "valid_macs": 191900,
        "weight_bytes": 224,
        "peak_activation_bytes": 191968,
        "left_out": 0,
    },
    "unread": [],
    "advice": [],
    "sample_rate": 16000.0,
    "positions": [
        {
            "layer": "frames",
            "position": [0],
            "inputs": {"x": [sight([-2, 8], [0, 8], 5, (2, 0), [[1, 1], [3, 3], [5, 5], [7, 7]])]},
        },
        {
            "layer": "frames",
            "position": [3998],
            "inputs": {
                "x": [
                    sight(
                        [15990, 16010],
                        [15990, 15998],
                        5,
                        (0, 11),
                        [[i, i] for i in range(15991, 15999, 2)] + [[15999, 15999]],
                    )
                ]
            },
        },
    ],
}
"""A document of a signal; not all of its numbers go together, but every kind of them is there."""


def check(verdict: str = "pass", **more: Any) -> Document:
    """A check as `verify --format json` prints it."""
    found = {
        "runtime": "onnxruntime:cpu",
        "version": "1.32.0",
        "probe": "exact",
        "output": "y",
        "verdict": verdict,
        **({} if verdict == "pass" else {"reason": "because"}),
        "mismatches": 0,
        "elements": 1000,
        "max_error": 0.0,
        "bound_used": 0.0,
        "first_divergence": None,
        "placement": {"CPUExecutionProvider": 122},
        "seed": 0,
        "reproduce": "onnxconv verify specs/small.yaml --probe exact --seed 0",
    }
    return copy.deepcopy({**found, **more})


def verification(*checks: Document, verdict: str = "pass") -> Document:
    return {"source": "specs/small.yaml", "verdict": verdict, "checks": list(checks)}
