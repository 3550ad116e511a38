"""How large operators are cut into pieces."""

from __future__ import annotations

import numpy as np

from onnxconv.execute.parts import Part, pieces_of
from onnxconv.geometry import Axis
from onnxconv.ops import Conv


def test_cutting_stops_where_windows_overlap() -> None:
    """With a dilation of 18 nearly all of a 33-pixel axis is seen from either half, so that halving space gains nothing."""
    window = (Axis(3, 1, 18, (18, 18)),) * 2
    op = Conv(window, 256, bias=False)
    x, w = np.zeros((1, 256, 33, 33), np.float32), np.zeros((256, 256, 3, 3), np.float32)
    pieces = tuple(pieces_of(Part(op, (x,), {"weight": w}, np.zeros((1, 256, 33, 33))), 8))
    assert len(pieces) <= 16
    assert sum(piece.y.size for piece in pieces) == 256 * 33 * 33
