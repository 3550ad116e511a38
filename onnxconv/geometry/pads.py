"""The words for padding, turned into integers: same, causal, full, an output size to reach, ceil mode."""

from __future__ import annotations

from onnxconv.errors import Refusal
from onnxconv.geometry.axis import Axis, Pads, TransposedAxis
from onnxconv.geometry.size import Size


def same_pads(n: Size, extent: int, stride: int, *, lower: bool = False) -> Pads:
    """Pads for ⌈n ÷ stride⌉ outputs: the total is split evenly, an odd pixel goes to the end (to the begin if `lower`).

    Source: ONNX, Conv, auto_pad SAME_UPPER / SAME_LOWER. A symbolic n is refused unless stride is 1 (`Refusal`).
    """
    if isinstance(n, str):
        if stride > 1:
            raise Refusal(
                "symbolic-same",
                f"pad 'same' with stride {stride} on the symbolic size {n!r}",
                "the pads of 'same' depend on the size unless the stride is 1",
                "give the input a size (--input-shape), or write the pads as numbers",
                "pad",
            )
        total = extent - 1
    else:
        total = max(0, (-(-n // stride) - 1) * stride + extent - n)
    small = total // 2
    return (total - small, small) if lower else (small, total - small)


def causal_pads(extent: int) -> Pads:
    """All padding before the signal, so that an output sees nothing later than its own position."""
    return extent - 1, 0


def full_pads(extent: int) -> Pads:
    """Every position where window and input overlap by at least one pixel."""
    return extent - 1, extent - 1


def pads_reaching(n: int, out: int, size: int, stride: int, dilation: int) -> Pads:
    """The smallest pads for exactly `out` positions, split as 'same' does; refused where none exist (`Refusal`)."""
    extent = dilation * (size - 1) + 1
    total = max(0, (out - 1) * stride + extent - n)
    natural = (n + total - extent) // stride + 1
    if out < 1 or natural != out:
        raise Refusal(
            "unreachable-size",
            f"no padding of {n} pixels gives {out} outputs with kernel {size}, stride {stride}, dilation {dilation}",
            f"without padding there are already {natural} outputs, and padding only adds to them",
            f"ask for {natural} outputs or more, or use a larger stride",
            "pad",
        )
    return total // 2, total - total // 2


def same_crop(axis: TransposedAxis) -> Pads:
    """Crops for stride outputs per input pixel, split as 'same' splits pads; refused where none exist (`Refusal`).

    Source: ONNX, ConvTranspose, auto_pad SAME_UPPER. The crops of `axis` itself are not looked at.
    """
    total = axis.extent + axis.output_pad - axis.stride
    if total < 0:
        raise Refusal(
            "unreachable-size",
            f"a transposed kernel of extent {axis.extent} with stride {axis.stride} and output_pad {axis.output_pad} "
            f"makes too few outputs for 'same'",
            "'same' makes stride outputs per input pixel: extent + output_pad - stride of them are cropped, "
            f"here {axis.extent} + {axis.output_pad} - {axis.stride} = {total}",
            f"use output_pad {axis.stride - axis.extent}, or a kernel with an extent of at least {axis.stride}",
            "pad",
        )
    return total // 2, total - total // 2


def crop_reaching(n: int, out: int, axis: TransposedAxis, *, lower: bool = False) -> Pads:
    """The crops for exactly `out` positions, split as `same_pads` does; refused where none exist (`Refusal`).

    The crops of `axis` itself are not looked at.
    """
    natural = (n - 1) * axis.stride + axis.extent + axis.output_pad
    if not 1 <= out <= natural:
        raise Refusal(
            "unreachable-size",
            f"no cropping gives {out} outputs from {n} pixels with kernel {axis.size}, stride {axis.stride}, "
            f"dilation {axis.dilation}, output_pad {axis.output_pad}",
            f"uncropped there are ({n} - 1)·{axis.stride} + {axis.extent} + {axis.output_pad} = {natural} outputs, "
            "and cropping only takes from them",
            f"ask for 1 to {natural} outputs",
            "pad",
        )
    small, large = (natural - out) // 2, (natural - out + 1) // 2
    return (large, small) if lower else (small, large)


def ceil_axis(axis: Axis, n: Size) -> Axis:
    """The floor-rounded axis with as many outputs as `axis` has when its output size is rounded up.

    The last window is kept only if it starts inside the input or the begin pad, as the standard says (ONNX, MaxPool,
    ceil_mode). The extra pixels become end padding, so that no runtime needs to know about ceil modes.
    """
    if isinstance(n, str):
        if axis.stride == 1:
            return axis
        raise Refusal(
            "symbolic-ceil",
            f"ceil mode with stride {axis.stride} on the symbolic size {n!r}",
            "how far the last window reaches depends on the size",
            "give the input a size (--input-shape), or leave ceil mode out",
            "ceil",
        )
    begin, end = axis.pad
    outputs = -(-(n + begin + end - axis.extent) // axis.stride) + 1
    if outputs >= 1 and (outputs - 1) * axis.stride >= n + begin:
        outputs -= 1
    extra = (outputs - 1) * axis.stride + axis.extent - (n + begin + end)
    return Axis(axis.size, axis.stride, axis.dilation, (begin, end + max(0, extra)))
