"""Three kinds of networks for bundles, in which no mistake of layout is hidden by symmetry."""

from __future__ import annotations

from typing import Any

__all__ = ["NEEDY", "NETS"]

LOPSIDED: dict[str, Any] = {
    "name": "lopsided",
    "inputs": {"x": "float32[N, 4, 11, 14]"},
    "layers": [
        {
            "conv": {
                "filters": 6,
                "kernel": [3, 2],
                "stride": [2, 1],
                "dilation": [1, 2],
                "pad": [[1, 0], [0, 2]],
                "group": 2,
            }
        },
    ],
}

SMALL: dict[str, Any] = {
    "name": "small",
    "inputs": {"x": "float32[N, 3, 12, 10]"},
    "layers": [
        {"conv": {"filters": 8, "kernel": 3, "pad": "same"}},
        "batch_norm",
        {"relu": {}, "name": "stem"},
        {"add": [[{"conv": {"group": "depthwise", "kernel": 3, "pad": "same"}}], []]},
        {"relu6": {}, "name": "wide"},
        {"max_pool": {"kernel": 2, "stride": 2}},
        {"conv_transpose": {"filters": 5, "kernel": 2, "stride": 2}},
        {"concat": ["wide", "previous"]},
        {"conv": {"filters": 4, "kernel": 1}},
    ],
}

CAUSAL: dict[str, Any] = {
    "name": "causal",
    "inputs": {"x": "float32[N, 3, 21]"},
    "layers": [
        {"conv": {"filters": 4, "kernel": 3, "dilation": 2, "pad": "causal"}},
        "relu",
        {"conv": {"filters": 5, "kernel": 2, "dilation": 4, "pad": "causal"}},
    ],
}

VOLUME: dict[str, Any] = {
    "name": "volume",
    "inputs": {"x": "float32[N, 2, 6, 7, 5]"},
    "layers": [
        {"conv": {"filters": 4, "kernel": [3, 2, 3], "stride": [1, 2, 1], "pad": [[1, 1], [0, 1], [2, 0]]}},
        "relu",
        {"max_pool": {"kernel": 2, "stride": 2}},
        {"conv": {"filters": 3, "kernel": 1}},
    ],
}

ROUNDABOUT: dict[str, Any] = {
    "name": "roundabout",
    "inputs": {"x": "float32[N, 4, 13, 12]"},
    "layers": [
        {"max_pool": {"kernel": 3, "stride": 1, "pad": [[2, 0], [0, 1]]}},
        {"max_pool": {"kernel": 2, "dilation": 2, "stride": 1}},
        {"average_pool": {"kernel": 2, "stride": 1, "pad": [[1, 0], [0, 1]]}},
        {"conv_transpose": {"filters": 3, "kernel": 3, "stride": 2, "pad": [[1, 0], [0, 2]]}},
    ],
}

DEEP: dict[str, Any] = {
    "name": "deep",
    "inputs": {"x": "float32[N, 2, 4, 4, 2]"},
    "layers": [{"conv": {"filters": 6, "kernel": 2, "pad": "same"}}, "global_average_pool"],
}

NETS = {net["name"]: net for net in (LOPSIDED, SMALL, CAUSAL, VOLUME)}

NEEDY = {"ncnn": ROUNDABOUT, "iree": ROUNDABOUT, "opencv": DEEP}
"""By target, a network that it takes only with `--adapt`."""
