"""Where a tensor of two spatial axes is wrong, as a PNG picture."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from onnxconv.verify.words import Array

__all__ = ["ErrorMap", "picture"]

SIDE = 320
"""Pixels of the longer side at least: small maps are enlarged by a whole number."""
DECADES = 6
"""Wrong elements are the darker the more they are off, down to 10^-6 of the worst."""
RIGHT, ROUNDED = (255, 255, 255), (208, 222, 236)
"""Colours of what is equal, and of what errs within its bound."""
LEAST, WORST = (255, 190, 120), (150, 0, 30)
"""Colours of what is wrong, between these two."""


@dataclass(frozen=True, eq=False, slots=True)
class ErrorMap:
    """error[H, W], the worst of all images and channels at each position, and whether it is wrong[H, W] there."""

    error: Array
    wrong: Array


def picture(found: ErrorMap) -> bytes:
    """The map as a PNG file: white where it is equal, blue where it errs within its bound, orange to dark red where it is wrong."""
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(found.error), found.error, 0)
        off = np.log10(found.error / (finite.max() or 1)) / DECADES + 1
    strength = np.where(np.isfinite(found.error), np.clip(off, 0, 1), 1)[..., None]
    shades = np.array(LEAST) + strength * (np.array(WORST) - np.array(LEAST))
    calm = np.where(found.error[..., None] > 0, np.array(ROUNDED), np.array(RIGHT))
    pixels = np.where(found.wrong[..., None], shades, calm).astype(np.uint8)
    times = max(1, -(-SIDE // max(found.error.shape)))
    return _png(np.repeat(np.repeat(pixels, times, axis=0), times, axis=1))


def _png(pixels: Array) -> bytes:
    """pixels[H, W, 3] of 8 bits, every row without a filter (PNG specification, second edition, §§ 5, 9 and 11.2)."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
