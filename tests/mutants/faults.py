"""A runtime with a fault: onnxruntime, with the model edited before it is loaded or the outputs after they are computed.

The runtime is ``python:faults.py`` with the option ``fault=NAME``. Nothing is drawn: each fault is always the same.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

Arrays = dict[str, np.ndarray]
CONVS = ("Conv", "ConvTranspose", "Gemm")


class Model:
    """An ONNX model whose constants are at hand as arrays."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.graph = proto.graph
        self.constants = {i.name: i for i in self.graph.initializer}

    def nodes(self, *types: str) -> list[onnx.NodeProto]:
        return [n for n in self.graph.node if n.op_type in types]

    def read(self, name: str) -> np.ndarray:
        return numpy_helper.to_array(self.constants[name]).copy()

    def write(self, name: str, array: np.ndarray) -> None:
        self.constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))

    def kernels(self, edit: Callable[[np.ndarray, onnx.NodeProto], np.ndarray], *types: str) -> None:
        for node in self.nodes(*(types or CONVS)):
            self.write(node.input[1], edit(self.read(node.input[1]), node))

    def replace(self, node: onnx.NodeProto, *new: onnx.NodeProto) -> None:
        at = list(self.graph.node).index(node)
        rest = list(self.graph.node)
        rest[at : at + 1] = new
        del self.graph.node[:]
        self.graph.node.extend(rest)


def attribute(node: onnx.NodeProto, name: str) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """Rounded to so many significant bits."""
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.rint(fraction * 2.0**bits) / 2.0**bits, exponent).astype(array.dtype)


# Faults of geometry: the model is edited.


def swapped_pads(m: Model) -> None:
    for node in m.nodes("Conv"):
        pads = attribute(node, "pads")
        half = len(pads) // 2
        set_attribute(node, "pads", [*pads[half:], *pads[:half]])


def swapped_strides(m: Model) -> None:
    for node in m.nodes("Conv"):
        set_attribute(node, "strides", attribute(node, "strides")[::-1])


def ignored_dilation(m: Model) -> None:
    """As many outputs as before: the pads shrink with the window."""
    for node in m.nodes("Conv"):
        pads, dilations, sizes = (list(attribute(node, n)) for n in ("pads", "dilations", "kernel_shape"))
        rank = len(sizes)
        for i in range(rank):
            excess = (dilations[i] - 1) * (sizes[i] - 1)
            taken = min(excess, pads[i])
            pads[i], pads[rank + i] = pads[i] - taken, pads[rank + i] - (excess - taken)
        if min(pads) >= 0:
            set_attribute(node, "pads", pads)
            set_attribute(node, "dilations", [1] * rank)


def interleaved_groups(m: Model) -> None:
    def edit(w: np.ndarray, node: onnx.NodeProto) -> np.ndarray:
        g = attribute(node, "group")
        return w.reshape(g, len(w) // g, *w.shape[1:]).swapaxes(0, 1).reshape(w.shape)

    m.kernels(edit, "Conv")


def flipped_kernel(m: Model) -> None:
    m.kernels(lambda w, _: w[(..., *[slice(None, None, -1)] * (w.ndim - 2))], "Conv")


def transposed_kernel(m: Model) -> None:
    m.kernels(lambda w, _: w.swapaxes(-1, -2) if w.ndim > 3 and w.shape[-1] == w.shape[-2] else w, "Conv")


def dropped_tail_channel(m: Model) -> None:
    def edit(w: np.ndarray, _: onnx.NodeProto) -> np.ndarray:
        w[:, -1] = 0
        return w

    m.kernels(edit, "Conv")


def dropped_tap(m: Model) -> None:
    def edit(w: np.ndarray, _: onnx.NodeProto) -> np.ndarray:
        w.reshape(*w.shape[:2], -1)[..., -1] = 0
        return w

    m.kernels(edit, "Conv")


def ignored_bias(m: Model) -> None:
    for node in m.nodes(*CONVS):
        if len(node.input) > 2:
            m.write(node.input[2], np.zeros_like(m.read(node.input[2])))


def relu6_for_relu(m: Model) -> None:
    six = numpy_helper.from_array(np.float32(6), "fault.six")
    zero = numpy_helper.from_array(np.float32(0), "fault.zero")
    if relus := m.nodes("Relu"):
        m.graph.initializer.extend([zero, six])
        for node in relus:
            m.replace(node, helper.make_node("Clip", [node.input[0], zero.name, six.name], list(node.output)))


def relu_for_relu6(m: Model) -> None:
    for node in m.nodes("Clip"):
        m.replace(node, helper.make_node("Relu", [node.input[0]], list(node.output)))


def max_pool_zero_pad(m: Model) -> None:
    for node in m.nodes("MaxPool"):
        pads = attribute(node, "pads")
        half, name = len(pads) // 2, f"{node.output[0]}.padded"
        widths = numpy_helper.from_array(np.array([0, 0, *pads[:half], 0, 0, *pads[half:]], np.int64), f"{name}.widths")
        m.graph.initializer.append(widths)
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        plain.input[0] = name
        set_attribute(plain, "pads", [0] * len(pads))
        m.replace(node, helper.make_node("Pad", [node.input[0], widths.name], [name]), plain)


def average_over_padding(m: Model) -> None:
    for node in m.nodes("AveragePool"):
        set_attribute(node, "count_include_pad", 1 - (attribute(node, "count_include_pad") or 0))


def dropped_addend(m: Model) -> None:
    for node in m.nodes("Add"):
        m.replace(node, helper.make_node("Identity", [node.input[0]], list(node.output)))


def ignored_epsilon(m: Model) -> None:
    for node in m.nodes("BatchNormalization"):
        set_attribute(node, "epsilon", 0.0)


def ignored_mean(m: Model) -> None:
    for node in m.nodes("BatchNormalization"):
        m.write(node.input[3], np.zeros_like(m.read(node.input[3])))


def one_fused_filter(m: Model) -> None:
    """Wrong only where nothing between the layers is asked for, as a fault of an optimiser is."""
    convs = m.nodes("Conv")
    if len(m.graph.output) == 1 and len(convs) > 1:
        w = m.read(convs[-1].input[1])
        w[:2] = w[1::-1].copy()
        m.write(convs[-1].input[1], w)


# Faults of precision.


def weights_in(bits: int) -> Callable[[Model], None]:
    return lambda m: m.kernels(lambda w, _: rounded(w, bits))


def _short(m: Model, bits: int, x: str, y: str) -> list[onnx.NodeProto]:
    """y = x rounded to so many bits, in float32: c − (c − x) with c = x·(2^(24 − bits) + 1) (Veltkamp).

    Casts to float16 and back would not do: onnxruntime takes them out.
    """
    name = f"fault.factor{bits}"
    if name not in (i.name for i in m.graph.initializer):
        m.graph.initializer.append(numpy_helper.from_array(np.float32(2 ** (24 - bits) + 1), name))
    return [
        helper.make_node("Mul", [x, name], [f"{y}.c"]),
        helper.make_node("Sub", [f"{y}.c", x], [f"{y}.d"]),
        helper.make_node("Sub", [f"{y}.c", f"{y}.d"], [y]),
    ]


def _before_products(m: Model, bits: int) -> None:
    """Round what every product reads."""
    for node in m.nodes(*CONVS):
        same = onnx.NodeProto()
        same.CopyFrom(node)
        same.input[0] = f"{node.output[0]}.short"
        m.replace(node, *_short(m, bits, node.input[0], same.input[0]), same)


def tf32_inputs(m: Model) -> None:
    _before_products(m, 11)
    weights_in(11)(m)


def bf16_inputs(m: Model) -> None:
    _before_products(m, 8)


def fp16_accumulation(m: Model) -> None:
    """The sum over each half of the input channels, and of both, is kept in the 11 bits of float16."""
    for node in m.nodes("Conv"):
        w, y = m.read(node.input[1]), node.output[0]
        if attribute(node, "group") != 1 or w.shape[1] < 2:
            continue
        half = w.shape[1] // 2
        steps = []
        for part, start, end in (("lo", 0, half), ("hi", half, w.shape[1])):
            for name, value in (("axis", 1), ("begin", start), ("end", end)):
                m.graph.initializer.append(numpy_helper.from_array(np.array([value], np.int64), f"{y}.{part}.{name}"))
            kernel = np.ascontiguousarray(w[:, start:end])
            m.graph.initializer.append(numpy_helper.from_array(kernel, f"{y}.{part}.w"))
            slice_of = [node.input[0], *(f"{y}.{part}.{name}" for name in ("begin", "end", "axis"))]
            steps.append(helper.make_node("Slice", slice_of, [f"{y}.{part}.x"]))
            operands = [f"{y}.{part}.x", f"{y}.{part}.w", *(node.input[2:] if part == "lo" else [])]
            conv = helper.make_node("Conv", operands, [f"{y}.{part}"])
            conv.attribute.extend(node.attribute)
            steps += [conv, *_short(m, 11, f"{y}.{part}", f"{y}.{part}.16")]
        steps.append(helper.make_node("Add", [f"{y}.lo.16", f"{y}.hi.16"], [f"{y}.sum"]))
        m.replace(node, *steps, *_short(m, 11, f"{y}.sum", y))


def one_weight(relative: float) -> Callable[[Model], None]:
    """One weight of the first layer, the largest of its last filter, is off."""

    def edit(m: Model) -> None:
        for node in m.nodes(*CONVS)[:1]:
            w = m.read(node.input[1])
            last = w[-1].reshape(-1)
            last[np.abs(last).argmax()] *= 1 + relative
            m.write(node.input[1], w)

    return edit


# Faults of memory and of manners: the outputs are edited. (outputs, those of the run before) → outputs


def each(edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays, Arrays], Arrays]:
    return lambda y, _: {name: edit(array.copy()) for name, array in y.items()}


def one_in_a_million(y: np.ndarray) -> np.ndarray:
    if y.size >= 1_000_000:
        y.flat[777_777] = np.nextafter(y.flat[777_777] * np.float32(1.001), np.float32(np.inf))
    return y


def shifted_edge_column(y: np.ndarray) -> np.ndarray:
    if y.ndim > 3:
        y[..., -1] = y[..., -2]
    return y


def last_row_zero(y: np.ndarray) -> np.ndarray:
    if y.ndim > 3:
        y[..., -1, :] = 0
    return y


def last_column_zero(y: np.ndarray) -> np.ndarray:
    y[..., -1] = 0
    return y


def swapped_channels(y: np.ndarray) -> np.ndarray:
    if y.ndim > 2:
        y[:, :2] = y[:, 1::-1].copy()
    return y


def transposed_axes(y: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(y.swapaxes(-1, -2)) if y.ndim > 3 else y


def second_image_wrong(y: np.ndarray) -> np.ndarray:
    y[1:] = y[:1]
    return y


def one_nan(y: np.ndarray) -> np.ndarray:
    y.flat[-1] = np.nan
    return y


def one_infinity(y: np.ndarray) -> np.ndarray:
    y.flat[0] = np.inf
    return y


def stale_buffer(y: Arrays, before: Arrays) -> Arrays:
    return {name: before.get(name, array) for name, array in y.items()}


def crash(_: Arrays, __: Arrays) -> Arrays:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("still alive")


def hang(_: Arrays, __: Arrays) -> Arrays:
    time.sleep(600)
    raise AssertionError("awake")


def complaint(_: Arrays, __: Arrays) -> Arrays:
    raise ValueError("not today")


MODEL: dict[str, Callable[[Model], None]] = {
    "none": lambda _: None,
    "fp16 weights": weights_in(11),
    "bf16 weights": weights_in(8),
    "one weight 1e-4": one_weight(1e-4),
    "one weight 1e-3": one_weight(1e-3),
    **{
        f.__name__.replace("_", " "): f
        for f in (
            swapped_pads, swapped_strides, ignored_dilation, interleaved_groups, flipped_kernel, transposed_kernel,
            dropped_tail_channel, dropped_tap, ignored_bias, relu6_for_relu, relu_for_relu6, max_pool_zero_pad,
            average_over_padding, dropped_addend, ignored_epsilon, ignored_mean, one_fused_filter, tf32_inputs,
            bf16_inputs, fp16_accumulation,
        )
    },
}  # fmt: skip

OUTPUTS: dict[str, Callable[[Arrays, Arrays], Arrays]] = {
    "missing output": lambda y, _: dict(list(y.items())[:-1]),
    "extra output": lambda y, _: {**y, "extra": np.zeros(1, np.float32)},
    "empty output": each(lambda y: y[:0]),
    "wrong dtype": each(lambda y: y.astype(np.float64)),
    "wrong shape": each(lambda y: y[..., None]),
    "stale buffer": stale_buffer,
    "crash": crash,
    "hang": hang,
    "complaint": complaint,
    **{
        f.__name__.replace("_", " "): each(f)
        for f in (
            one_in_a_million, shifted_edge_column, last_row_zero, last_column_zero, swapped_channels, transposed_axes,
            second_image_wrong, one_nan, one_infinity,
        )
    },
}  # fmt: skip

FAULTS = (*(name for name in MODEL if name != "none"), *OUTPUTS)


def prepare(model_path: str, options: Mapping[str, str]) -> Callable[[Arrays], Arrays]:
    """What a bring-your-own runtime defines; the option `fault` says which."""
    fault = options["fault"]
    edit, spoil = MODEL.get(fault), OUTPUTS.get(fault)
    assert edit or spoil, f"{fault} is not a fault"
    proto = onnx.load(model_path)
    if edit:
        edit(Model(proto))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    before: Arrays = {}

    def run(inputs: Arrays) -> Arrays:
        nonlocal before
        y = dict(zip(names, session.run(names, inputs), strict=True))
        spoilt = spoil(y, before) if spoil else y
        before = y
        return spoilt

    return run
