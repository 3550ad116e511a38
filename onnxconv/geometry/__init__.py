"""All window arithmetic of the product: extents, output sizes, paddings, taps, and who sees what.

One axis at a time; an operator's `Window` is one `Axis` per spatial axis, outermost first. Sizes are counted in
pixels (samples, voxels). A size is an integer, or the text of a symbolic one such as ``H`` or ``(H+1)//2``.
Division rounds towards minus infinity throughout, so impossible windows come out as sizes below 1 and are refused.
"""

from onnxconv.geometry.axis import Axis, Pads, TransposedAxis, TransposedWindow, Window
from onnxconv.geometry.fields import MOST_PHASES, blocks, cycled, listed, repeated, strided
from onnxconv.geometry.pads import causal_pads, ceil_axis, crop_reaching, full_pads, pads_reaching, same_crop, same_pads
from onnxconv.geometry.polynomial import Atom, Polynomial, Quotient
from onnxconv.geometry.reach import ANYTHING, IDENTITY, WHOLE, Field, Reach, held, positions, through, union
from onnxconv.geometry.resample import (
    COORDINATES,
    NEAREST,
    RESIZE_MODES,
    Computed,
    Line,
    Sampling,
    line,
    rational,
    resized,
    sampled_field,
)
from onnxconv.geometry.sets import Positions
from onnxconv.geometry.size import (
    Size,
    apart,
    differ,
    divided,
    evaluated,
    floor_div,
    formula,
    inverted,
    is_formula,
    least,
    names,
    plus,
    product,
    quotient,
    shift,
    solved,
    times,
)
from onnxconv.geometry.taps import Array, taps, transposed_taps

__all__ = [
    "ANYTHING",
    "COORDINATES",
    "IDENTITY",
    "MOST_PHASES",
    "NEAREST",
    "RESIZE_MODES",
    "WHOLE",
    "Array",
    "Atom",
    "Axis",
    "Computed",
    "Field",
    "Line",
    "Pads",
    "Polynomial",
    "Positions",
    "Quotient",
    "Reach",
    "Sampling",
    "Size",
    "TransposedAxis",
    "TransposedWindow",
    "Window",
    "apart",
    "blocks",
    "causal_pads",
    "ceil_axis",
    "crop_reaching",
    "cycled",
    "differ",
    "divided",
    "evaluated",
    "floor_div",
    "formula",
    "full_pads",
    "held",
    "inverted",
    "is_formula",
    "least",
    "line",
    "listed",
    "names",
    "pads_reaching",
    "plus",
    "positions",
    "product",
    "quotient",
    "rational",
    "repeated",
    "resized",
    "same_crop",
    "same_pads",
    "sampled_field",
    "shift",
    "solved",
    "strided",
    "taps",
    "through",
    "times",
    "transposed_taps",
    "union",
]
