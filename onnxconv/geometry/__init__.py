"""All window arithmetic of the product: extents, output sizes, paddings, taps, and who sees what.

One axis at a time; an operator's `Window` is one `Axis` per spatial axis, outermost first. Sizes are counted in
pixels (samples, voxels). A size is an integer, or the text of a symbolic one such as ``H`` or ``(H+1)//2``.
Division rounds towards minus infinity throughout, so impossible windows come out as sizes below 1 and are refused.
"""

from onnxconv.geometry.axis import Axis, Pads, TransposedAxis, TransposedWindow, Window
from onnxconv.geometry.pads import causal_pads, ceil_axis, crop_reaching, full_pads, pads_reaching, same_crop, same_pads
from onnxconv.geometry.reach import ANYTHING, IDENTITY, WHOLE, Field, Reach, held, positions, through, union
from onnxconv.geometry.sets import Positions
from onnxconv.geometry.size import Size
from onnxconv.geometry.taps import Array, taps, transposed_taps

__all__ = [
    "ANYTHING",
    "IDENTITY",
    "WHOLE",
    "Array",
    "Axis",
    "Field",
    "Pads",
    "Positions",
    "Reach",
    "Size",
    "TransposedAxis",
    "TransposedWindow",
    "Window",
    "causal_pads",
    "ceil_axis",
    "crop_reaching",
    "full_pads",
    "held",
    "pads_reaching",
    "positions",
    "same_crop",
    "same_pads",
    "taps",
    "through",
    "transposed_taps",
    "union",
]
