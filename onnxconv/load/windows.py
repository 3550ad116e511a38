"""Windows of ONNX nodes: defaults filled in, ``auto_pad``, ``output_shape`` and ``ceil_mode`` turned into integers."""

from __future__ import annotations

from dataclasses import replace

from onnxconv.errors import Refusal
from onnxconv.geometry import (
    Axis,
    Pads,
    Size,
    TransposedAxis,
    TransposedWindow,
    Window,
    ceil_axis,
    crop_reaching,
    same_pads,
)
from onnxconv.load.step import Reading

__all__ = ["transposed_window", "window", "window_of_pool"]

_SAME = {"SAME_UPPER": False, "SAME_LOWER": True}


def window(at: Reading, kernel: tuple[int, ...]) -> Window:
    """The window of a node with this kernel, output sizes rounded down."""
    sizes = _spatial(at, kernel)
    strides, dilations = at.per_axis("strides", len(kernel), 1), at.per_axis("dilations", len(kernel), 1)
    bare = [Axis(k, s, d) for k, s, d in zip(kernel, strides, dilations, strict=True)]
    auto = _auto_pad(at)
    if auto in _SAME:
        pads = [same_pads(n, a.extent, a.stride, lower=_SAME[auto]) for a, n in zip(bare, sizes, strict=True)]
    else:
        pads = _pads(at, len(kernel)) if auto == "NOTSET" else [(0, 0)] * len(kernel)
    return tuple(Axis(a.size, a.stride, a.dilation, pad) for a, pad in zip(bare, pads, strict=True))


def window_of_pool(at: Reading) -> tuple[Window, Window]:
    """(as written, with the end pads that its ceil mode amounts to).

    With auto_pad SAME the ceil mode changes nothing. With VALID it does in onnxruntime 1.32 and in onnx's shape inference,
    but not in the formula of the standard (ONNX, MaxPool, auto_pad): refused where that makes a difference.
    """
    kernel = at.attributes.get("kernel_shape")
    if not kernel:
        raise Refusal("attribute-length", "it has no kernel_shape", "a pool needs a size per spatial axis")
    written, auto = window(at, tuple(kernel)), _auto_pad(at)
    if not at.integer("ceil_mode", 0) or auto in _SAME:
        return written, written
    rounded = tuple(ceil_axis(a, n) for a, n in zip(written, at.shape()[2:], strict=True))
    if auto == "VALID" and rounded != written:
        why = "auto_pad VALID rounds down by the standard's formula, ceil_mode rounds up, and runtimes differ"
        raise Refusal("ambiguous", "it has auto_pad VALID and ceil_mode", why, "write pads, or leave ceil_mode out")
    return written, rounded


def transposed_window(at: Reading, kernel: tuple[int, ...]) -> TransposedWindow:
    """The window of a ConvTranspose node.

    With ``output_shape``, or auto_pad SAME (n·stride outputs), the pads are what is left over; an odd pixel goes to the
    end for SAME_UPPER and to the begin otherwise (ONNX, ConvTranspose).
    """
    rank = len(kernel)
    sizes = _spatial(at, kernel)
    strides, dilations = at.per_axis("strides", rank, 1), at.per_axis("dilations", rank, 1)
    extra = at.per_axis("output_padding", rank, 0)
    bare = [TransposedAxis(k, s, d, output_pad=e) for k, s, d, e in zip(kernel, strides, dilations, extra, strict=True)]
    auto = _auto_pad(at)
    asked = tuple(at.attributes.get("output_shape") or ())
    if len(asked) == rank + 2:
        asked = asked[2:]
    if asked and len(asked) != rank:
        raise Refusal("attribute-length", f"output_shape has {len(asked)} numbers", f"there are {rank} spatial axes")
    if asked or auto in _SAME:
        outs = asked or tuple(_known(n) * a.stride for a, n in zip(bare, sizes, strict=True))
        if not asked and any(a.out_size(_known(n)) < out for a, n, out in zip(bare, sizes, outs, strict=True)):
            why = "the standard has n·stride outputs, onnxruntime 1.32 those that the kernel reaches"
            fix = "write output_shape, or pads"
            raise Refusal("ambiguous", f"it has auto_pad {auto} and strides beyond its kernel", why, fix)
        return tuple(
            _reaching(a, _known(n), out, lower=auto != "SAME_UPPER")
            for a, n, out in zip(bare, sizes, outs, strict=True)
        )
    pads = _pads(at, rank) if auto == "NOTSET" else [(0, 0)] * rank
    return tuple(
        TransposedAxis(a.size, a.stride, a.dilation, pad, a.output_pad) for a, pad in zip(bare, pads, strict=True)
    )


def _reaching(axis: TransposedAxis, n: int, out: int, *, lower: bool) -> TransposedAxis:
    missing = out - int(axis.out_size(n))
    if missing > 0:
        # Outputs beyond all taps: the standard leaves their side open, runtimes append them.
        return replace(axis, output_pad=axis.output_pad + missing)
    return replace(axis, pad=crop_reaching(n, out, axis, lower=lower))


def _known(n: Size) -> int:
    if isinstance(n, int):
        return n
    raise Refusal("symbolic-same", f"its pads depend on the symbolic size {n!r}", "", "give the input a size")


def _auto_pad(at: Reading) -> str:
    auto = at.word("auto_pad", "NOTSET") or "NOTSET"
    if auto not in ("NOTSET", "VALID", *_SAME):
        raise Refusal("auto-pad", f"auto_pad is {auto!r}", "it is one of NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    return auto


def _spatial(at: Reading, kernel: tuple[int, ...]) -> tuple[Size, ...]:
    sizes = at.shape()[2:]
    if len(sizes) != len(kernel) or not kernel:
        what = f"its kernel has {len(kernel)} axes, its input {len(sizes)} spatial ones"
        raise Refusal("rank", what, "tensors are [N, C, *spatial], and the kernel has one size per spatial axis")
    return sizes


def _pads(at: Reading, axes: int) -> list[Pads]:
    values = tuple(at.attributes.get("pads") or (0,) * (2 * axes))
    if len(values) != 2 * axes:
        raise Refusal(
            "attribute-length", f"pads has {len(values)} numbers", f"{axes} begins and {axes} ends are needed"
        )
    return list(zip(values[:axes], values[axes:], strict=True))
