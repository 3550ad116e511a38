"""Specs that parse but describe nothing possible: the whole text of every diagnostic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onnxconv.errors import SpecError
from onnxconv.ops import Shape
from onnxconv.resolve import resolve
from onnxconv.spec import Spec, parse


def spec(layers: str, x: str = "float32[N, 64, 9, 8]") -> Spec:
    return parse(f"inputs: {{x: '{x}'}}\nlayers:\n{layers}", "net.yaml")


def said(spec: Spec, **shapes: Shape) -> list[str]:
    with pytest.raises(SpecError) as found:
        resolve(spec, shapes)
    return [str(d) for d in found.value.diagnostics]


REJECTED = [
    (
        "conv: {filters: 64, kernel: 3, group: 3}",
        """\
net.yaml:3:41: conv: 64 input channels cannot be split into 3 groups [groups]
    rule: 64 % 3 = 1, and each group takes an equal share of the input channels and of the filters
    fix: use 1, 2, 4, 8, 16, 32, 64 groups""",
    ),
    (
        "conv: {filters: 30, kernel: 3, group: 4}",
        """\
net.yaml:3:19: conv: 30 filters cannot be split into 4 groups [groups]
    rule: 30 % 4 = 2, and each group takes an equal share of the input channels and of the filters
    fix: use 28 or 32 filters, or 1, 2 groups""",
    ),
    (
        "conv: {filters: 30, kernel: 3, group: depthwise}",
        """\
net.yaml:3:19: conv: 30 filters cannot be split into 64 groups [groups]
    rule: 30 % 64 = 30, and each group takes an equal share of the input channels and of the filters
    fix: use 64 filters, or 1, 2 groups""",
    ),
    (
        "conv: {filters: 30, kernel: 3, group: 5, join: sum}",
        """\
net.yaml:3:41: conv: 64 input channels cannot be split into 5 groups [groups]
    rule: 64 % 5 = 4, and each group takes an equal share of the input channels and of the filters
    fix: use 1, 2, 4, 8, 16, 32, 64 groups""",
    ),
    (
        "conv: {kernel: 3, group: depthwise, join: sum}",
        """\
net.yaml:3:3: conv: the number of filters is missing [filters]
    rule: a convolution has as many output channels as filters
    fix: write filters""",
    ),
    (
        "conv: {kernel: 3, multiplier: 2}",
        """\
net.yaml:3:33: conv: multiplier with group 1 and join concat [multiplier]
    rule: multiplier counts the filters of each input channel, whose outputs are concatenated
    fix: write group: depthwise and leave join out, or write filters: 128""",
    ),
    (
        "conv: {kernel: 3, multiplier: 2, group: depthwise, join: sum}",
        """\
net.yaml:3:33: conv: multiplier with group depthwise and join sum [multiplier]
    rule: multiplier counts the filters of each input channel, whose outputs are concatenated
    fix: write group: depthwise and leave join out, or write filters: 128""",
    ),
    (
        "conv: {filters: 2, kernel: [3, 3, 3]}",
        """\
net.yaml:3:30: conv: kernel has 3 entries, the input [N, 64, 9, 8] has 2 spatial axes [axes]
    rule: kernel is one entry per spatial axis, outermost first, or a single one for all
    fix: write 2 of them, or a single number""",
    ),
    (
        "conv: {filters: 2, kernel: 3, stride: [2]}",
        """\
net.yaml:3:41: conv: stride has 1 entry, the input [N, 64, 9, 8] has 2 spatial axes [axes]
    rule: stride is one entry per spatial axis, outermost first, or a single one for all
    fix: write 2 of them, or a single number""",
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: [1, 1, 1]}",
        """\
net.yaml:3:38: conv: pad has 3 entries, the input [N, 64, 9, 8] has 2 spatial axes [axes]
    rule: pad is one entry per spatial axis, outermost first, or a single one for all
    fix: write 2 of them, or a single number""",
    ),
    (
        "conv: {filters: 2, kernel: 5, dilation: 3}",
        """\
net.yaml:3:30: conv: a window of extent 13 does not fit into 9 pixels padded by 0 + 0: (9 + 0 + 0 - 13) // 1 + 1 = -3 [empty-output]
    rule: extent = dilation·(kernel - 1) + 1 = 3·(5 - 1) + 1 = 13 may not exceed the padded input
    fix: pad 4 more, or use a kernel or dilation with an extent of at most 9""",
    ),
    (
        "conv: {filters: 2, kernel: 1, pad: {output: 4}}",
        """\
net.yaml:3:38: conv: no padding of 9 pixels gives 4 outputs with kernel 1, stride 1, dilation 1 [unreachable-size]
    rule: without padding there are already 9 outputs, and padding only adds to them
    fix: ask for 9 outputs or more, or use a larger stride""",
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: 9, pad_mode: reflect}",
        """\
net.yaml:3:38: conv: reflect padding of [9, 9] on an axis of 9 pixels [pad-mode]
    rule: reflect padding has 8 pixels to take from
    fix: pad at most 8""",
    ),
    (
        "conv: {filters: 3000000000, kernel: 1}",
        """\
net.yaml:3:19: conv: filters is 3000000000 [too-large]
    rule: whole numbers go up to 2147483647
    fix: write a smaller number""",
    ),
    (
        "conv: {filters: 2000000000, kernel: 3}",
        """\
net.yaml:3:3: conv: the weight [2000000000, 64, 3, 3] in float32 takes 4,608,000,000,000 bytes [too-large]
    rule: a weight takes at most 2^40 = 1,099,511,627,776 bytes
    fix: use fewer filters, a smaller kernel or more groups""",
    ),
    (
        "conv: {filters: 2, kernel: 1, pad: 2000000000}",
        """\
net.yaml:3:3: conv: a tensor [N, 2, 4000000009, 4000000008] has 32,000,000,136,000,000,144 elements [too-large]
    rule: a tensor has at most 2^40 = 1,099,511,627,776 elements
    fix: use fewer filters, a larger stride or a smaller input""",
    ),
    (
        "conv: {filters: 2, kernel: 2000000, pad: same}",
        """\
net.yaml:3:30: conv: a window extends over 2,000,000 pixels [too-large]
    rule: a window extends over at most 2^20 = 1,048,576 pixels along an axis
    fix: use a smaller kernel or dilation, or a global pool to see everything""",
    ),
    (
        "conv_transpose: {filters: 2, kernel: 2, stride: 3, pad: same}",
        """\
net.yaml:3:59: conv_transpose: a transposed kernel of extent 2 with stride 3 and output_pad 0 makes too few outputs for 'same' [unreachable-size]
    rule: 'same' makes stride outputs per input pixel: extent + output_pad - stride of them are cropped, here 2 + 0 - 3 = -1
    fix: use output_pad 1, or a kernel with an extent of at least 3""",
    ),
    (
        "conv_transpose: {filters: 2, kernel: 2, stride: 2, output_pad: 2}",
        """\
net.yaml:3:66: conv_transpose: output_pad is 2 with stride 2 and dilation 1 [output-pad]
    rule: output_pad is at least 0 and below the larger of stride and dilation
    fix: write 0 to 1""",
    ),
    (
        "conv_transpose: {filters: 2, kernel: 2, stride: 2, pad: {output: 19}}",
        """\
net.yaml:3:59: conv_transpose: no cropping gives 19 outputs from 9 pixels with kernel 2, stride 2, dilation 1, output_pad 0 [unreachable-size]
    rule: uncropped there are (9 - 1)·2 + 2 + 0 = 18 outputs, and cropping only takes from them
    fix: ask for 1 to 18 outputs""",
    ),
    (
        "conv_transpose: {filters: 2, kernel: 2, pad: 6}",
        """\
net.yaml:3:48: conv_transpose: cropping 6 + 6 leaves nothing: (9 - 1)·1 + 2 - 6 - 6 + 0 = -2 [empty-output]
    rule: a transposed convolution keeps at least one pixel
    fix: crop at most 9 in all""",
    ),
    (
        "max_pool: {kernel: 2, pad: 2}",
        """\
net.yaml:3:30: max_pool: pool pad [2, 2] with a window of extent 2 [pool-pad]
    rule: a pool's pad is smaller than its window, else some window sees nothing but padding
    fix: use a pad of at most 1""",
    ),
    (
        "max_pool: 10",
        """\
net.yaml:3:13: max_pool: a window of extent 10 does not fit into 9 pixels padded by 0 + 0: (9 + 0 + 0 - 10) // 10 + 1 = 0 [empty-output]
    rule: extent = dilation·(kernel - 1) + 1 = 1·(10 - 1) + 1 = 10 may not exceed the padded input
    fix: pad 1 more, or use a kernel or dilation with an extent of at most 9""",
    ),
    (
        "average_pool: {kernel: 3, pad: 3, count_include_pad: true, ceil: true}",
        """\
net.yaml:3:34: average_pool: pool pad [3, 3] with a window of extent 3 [pool-pad]
    rule: a pool's pad is smaller than its window, else some window sees nothing but padding
    fix: use a pad of at most 2""",
    ),
    (
        "softmax: 4",
        """\
net.yaml:3:12: softmax: softmax over axis 4 of [N, 64, 9, 8] [axis]
    rule: axes are counted from 0 to 3
    fix: use axis 1 for the channels""",
    ),
    (
        "concat: {of: [x, x], axis: 4}",
        """\
net.yaml:3:30: concat: concat along axis 4 of [N, 64, 9, 8] [axis]
    rule: axes are counted from 0 to 3
    fix: use axis 1 for the channels""",
    ),
    (
        "clip: {min: 3, max: 2}",
        """\
net.yaml:3:15: clip: clip from 3.0 to 2.0 [clip-range]
    rule: the lower limit is not above the upper one
    fix: swap them: min 2.0, max 3.0""",
    ),
    (
        "dense: 10",
        """\
net.yaml:3:3: dense: a dense layer cannot read [N, 64, 9, 8] [rank]
    rule: a dense layer reads [N, features]
    fix: put 'flatten' before it, or 'global_average_pool' and 'flatten'""",
    ),
    (
        "batch_norm: {fold: true}",
        """\
net.yaml:3:22: batch_norm: nothing to fold this batch norm into: 'x', which this batch norm reads, is an input of the network [fold]
    rule: a batch norm is folded into the conv, conv_transpose or dense layer right before it
    fix: leave fold out""",
    ),
    (
        "pad: {pad: 9, pad_mode: wrap}",
        """\
net.yaml:3:14: pad: wrap padding of [9, 9] on an axis of 8 pixels [pad-mode]
    rule: wrap padding has 8 pixels to take from
    fix: pad at most 8""",
    ),
]


@pytest.mark.parametrize(("layer", "text"), REJECTED)
def test_layers(layer: str, text: str) -> None:
    assert "\n".join(said(spec(f"- {layer}"))) == text


OTHER_INPUTS = [
    (
        "conv: {filters: 2, kernel: 3, pad: [1, 2]}",
        "float32[N, 4, 9]",
        "net.yaml:3:38: conv: pad has 2 entries, the input [N, 4, 9] has 1 spatial axis [axes]\n"
        "    rule: pad is a number or a [begin, end] pair per spatial axis\n"
        "    fix: write [[1, 2]] for 1 before and 2 after",
    ),
    (
        "conv: {filters: 2, kernel: 3}",
        "float32[N, 4]",
        "net.yaml:3:30: conv: the input [N, 4] has 0 spatial axes, this layer needs at least one spatial axis [rank]\n"
        "    rule: tensors are [N, C, *spatial]\n"
        "    fix: give one number per spatial axis of the input",
    ),
    (
        "conv: {filters: 2, kernel: 3}",
        "float32[N, C, 9]",
        "net.yaml:3:3: conv: the number of input channels is the symbol 'C' [symbolic-dimension]\n"
        "    rule: the number of input channels determines the shape of the weights\n"
        "    fix: give this dimension a number",
    ),
    (
        "conv: {filters: 2, kernel: 3, stride: 2, pad: same}",
        "float32[N, 4, T]",
        "net.yaml:3:49: conv: pad 'same' with stride 2 on the symbolic size 'T' [symbolic-same]\n"
        "    rule: the pads of 'same' depend on the size unless the stride is 1\n"
        "    fix: give the input a size (--input-shape), or write the pads as numbers",
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: {output: 9}}",
        "float32[N, 4, T]",
        "net.yaml:3:38: conv: an output size is asked for, but the input size is the symbol 'T' [symbolic-size]\n"
        "    rule: pads can be solved for only where the input size is known\n"
        "    fix: give the input a size (--input-shape), or write the pads as numbers",
    ),
    (
        "max_pool: {kernel: 2, ceil: true}",
        "float32[N, 4, T]",
        "net.yaml:3:31: max_pool: ceil mode with stride 2 on the symbolic size 'T' [symbolic-ceil]\n"
        "    rule: how far the last window reaches depends on the size\n"
        "    fix: give the input a size (--input-shape), or leave ceil mode out",
    ),
    (
        "max_pool: {kernel: 2, dilation: 3, pad: 1}",
        "float32[N, 4, 2]",
        "net.yaml:3:35: max_pool: with dilation 3 and pad [1, 1], 1 of 1 windows step over all 2 pixels of the input and see "
        "nothing but padding [pool-pad]\n"
        "    rule: every window of a pool sees at least one pixel\n"
        "    fix: use a dilation of at most 2, or no pad",
    ),
    (
        "batch_norm",
        "float32[N]",
        "net.yaml:3:3: batch_norm: batch norm on a tensor of 1 axis [rank]\n"
        "    rule: tensors are [N, C, *spatial], and batch norm has one set of numbers per channel\n"
        "    fix: give the input an axis of channels",
    ),
    (
        "layer_norm",
        "float32[N]",
        "net.yaml:3:3: layer_norm: layer norm on [N] [rank]\n"
        "    rule: what is normalised together are values of one image\n"
        "    fix: give the input an axis beside the batch",
    ),
    (
        "group_norm: 3",
        "float32[N, 4, 8]",
        "net.yaml:3:15: group_norm: 4 channels cannot be split into 3 groups [groups]\n"
        "    rule: each group takes an equal share of the channels\n"
        "    fix: use 1, 2, 4 groups",
    ),
    (
        "where: [x, x]",
        "float32[N, 4]",
        "net.yaml:3:3: where: where joins 2 tensors [arity]\n"
        "    rule: where has 3 tensors\n"
        "    fix: give it as many branches or names",
    ),
    (
        "where: [x, x, x]",
        "float32[N, 4]",
        "net.yaml:3:3: where: it asks whether float32 is true [dtype]\n"
        "    rule: true and false are of type bool\n"
        "    fix: compare it",
    ),
    (
        "sub: [x, x, x]",
        "float32[N, 4]",
        "net.yaml:3:3: sub: sub joins 3 tensors [arity]\n"
        "    rule: sub has a first and a second tensor\n"
        "    fix: give it two branches or names",
    ),
    (
        "reduce_mean: [1, 1]",
        "float32[N, 4]",
        "net.yaml:3:16: reduce_mean: it reduces the axes [1, 1] of [N, 4] [axis]\n"
        "    rule: axes are counted from 0 to 1, each once\n"
        "    fix: use axes 2 and up for all positions of an image",
    ),
    (
        "scale",
        "float32[N]",
        "net.yaml:3:3: scale: scale on a tensor of 1 axis [rank]\n"
        "    rule: tensors are [N, C, *spatial], and scale has one number per channel\n"
        "    fix: give the input an axis of channels",
    ),
]


@pytest.mark.parametrize(("layer", "x", "text"), OTHER_INPUTS)
def test_other_inputs(layer: str, x: str, text: str) -> None:
    assert "\n".join(said(spec(f"- {layer}", x))) == text


FOLDS = [
    (
        "- conv: {filters: 4, kernel: 1}\n- relu\n- batch_norm: {fold: true}",
        "'relu', which this batch norm reads, is a layer of kind Relu",
    ),
    (
        "- conv: {filters: 64, kernel: 1}\n- add: [[batch_norm: {fold: true}], previous]",
        "'conv' is read 2 times: by this batch norm and elsewhere",
    ),
    (
        "- conv: {filters: 4, kernel: 1}\n- batch_norm: {fold: true}\n- batch_norm: {fold: true}",
        "'batch_norm' has a batch norm folded in already",
    ),
]


@pytest.mark.parametrize(("layers", "what"), FOLDS)
def test_batch_norms_that_cannot_be_folded(layers: str, what: str) -> None:
    (text,) = said(spec(layers))
    assert f"nothing to fold this batch norm into: {what} [fold]\n" in text
    assert text.endswith("fix: leave fold out")


def test_an_output_cannot_be_folded_away() -> None:
    text = "inputs: {x: 'float32[N, 3, 8]'}\noutputs: [conv, y]\nlayers:\n- conv: {filters: 4, kernel: 1}\n"
    (said_,) = said(parse(text + "- batch_norm: {fold: true}\n  name: y"))
    assert "'conv' is read 2 times" in said_


def test_every_mistake_is_reported_at_once_and_its_consequences_are_not() -> None:
    layers = """\
- conv: {filters: 64, kernel: 3, group: 3}
  name: a
- conv: {filters: 7, kernel: 99, group: 2}
- conv: {filters: 65, kernel: 3, group: 2}
  from: x
- max_pool: 20
  from: x
- add: [a, x]
- relu
"""
    assert [text.splitlines()[0] for text in said(spec(layers))] == [
        "net.yaml:3:41: a: 64 input channels cannot be split into 3 groups [groups]",
        "net.yaml:6:19: conv_2: 65 filters cannot be split into 2 groups [groups]",
        "net.yaml:8:13: max_pool: a window of extent 20 does not fit into 9 pixels padded by 0 + 0: "
        "(9 + 0 + 0 - 20) // 20 + 1 = 0 [empty-output]",
    ]


def test_a_mistake_in_a_block_is_reported_once() -> None:
    text = """\
inputs: {x: "float32[N, 64, 9, 8]"}
blocks:
  bad:
    layers:
    - conv: {filters: 64, kernel: 3, group: 3}
layers:
- bad:
  from: x
- bad:
  from: x
"""
    assert len(said(parse(text))) == 1


def test_joined_tensors_have_one_dtype_and_shape() -> None:
    text = "inputs: {x: 'float32[N, 3, 8]', y: 'float16[N, 3, 8]', z: 'float32[N, 3, 9]'}\nlayers:\n"
    (dtype,) = said(parse(text + "- mul: [x, y]"))
    assert dtype.splitlines()[0] == "<text>:3:3: mul: cannot multiply 'x' of float32 and 'y' of float16 [dtype]"
    (shape,) = said(parse(text + "- add: [x, z]"))
    assert "cannot add [N, 3, 8] and [N, 3, 9]: they differ in axis 2: 8 and 9 [join-shape]" in shape


def test_data_types_that_there_are_not() -> None:
    good = spec("- relu")
    (text,) = said(replace(good, inputs=(replace(good.inputs[0], dtype="int9"),)))
    assert "input 'x' is of int9 [dtype]" in text
    assert "did you mean 'int8'" in text


@pytest.mark.parametrize(
    "layer",
    ["conv: {filters: 4, kernel: 3}", "batch_norm", "prelu", "scale", "conv_transpose: {filters: 4, kernel: 3}"],
)
def test_weights_meet_floats(layer: str) -> None:
    (text,) = said(parse(f"inputs: {{x: 'uint8[N, 3, 8, 8]'}}\nlayers:\n- {layer}"))
    assert "on uint8 [dtype]" in text
    assert "put cast: float32 before it" in text


@pytest.mark.parametrize(
    ("constant", "told"),
    [
        ("{value: 256, dtype: uint8}", "value is 256 [range]\n    rule: uint8 has the whole numbers from 0 to 255\n    fix: write 255"),
        ("{value: 1.5, dtype: int32}", "value is 1.5 [range]"),
        ("{value: -1, dtype: uint8, shape: [3, 1, 1]}", "fix: write 0"),
    ],
)  # fmt: skip
def test_numbers_that_a_data_type_has_not(constant: str, told: str) -> None:
    (text,) = said(parse(f"inputs: {{x: 'float32[N, 3, 8]'}}\nlayers:\n- constant: {constant}"))
    assert told in text


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("[N, M, 8]", "no input has the size 'M' [symbol]\n    rule: open sizes are those of inputs\n    fix: known here: L, N"),
        ("[N, 3, LL]", "did you mean 'L'?"),
        ("[N, 3, 'L+']", "'L+' cannot be read"),
        ("[N, 3, 'max(L, 2)']", "the size 'max(L, 2)' is no formula [size]"),
        ("[N, -2, L]", "shape is -2 [range]"),
        ("[L, 4, N]", "a reshape of [N, 3, L] to"),
        ("[N, [3], L]", "[type]"),
        ("{shape: {size: 3}}", "[type]"),
    ],
)  # fmt: skip
def test_sizes_that_are_none(shape: str, told: str) -> None:
    with pytest.raises(SpecError) as found:
        resolve(parse(f"inputs: {{x: 'float32[N, 3, L]'}}\nlayers:\n- reshape: {shape}"))
    assert told in "\n".join(map(str, found.value.diagnostics))


def test_gathers_that_do_not_fit() -> None:
    text = "inputs: {x: 'float32[N, 3, 8]'}\nlayers:\n- gather: {axis: 2, indices: [0, 1, 2], shape: [2, 2]}"
    assert "3 indices as [2, 2] [gather]\n    rule: that takes 4" in said(parse(text))[0]


def test_a_layer_norm_over_more_axes_than_there_are() -> None:
    text = "inputs: {x: 'float32[N, 3, 8]'}\nlayers:\n- layer_norm: {last: 4}"
    assert "the last 4 axes of [N, 3, 8] [axis]" in said(parse(text))[0]


def test_input_shapes_that_fit_no_input() -> None:
    assert said(spec("- relu"), y=(1, 2)) == ["net.yaml: there is no input 'y' [unknown-input]\n    fix: known here: x"]
    assert said(spec("- relu"), x=(1, 0)) == [
        "net.yaml:1:10: input 'x' has the shape [1, 0] [size]\n"
        "    rule: a size is a number from 1 to 2147483647, or a symbol such as N\n"
        "    fix: replace 0"
    ]
    assert "has no axes [rank]" in said(spec("- relu"), x=())[0]
    assert "has 1,152,921,504,606,846,976 elements [too-large]" in said(spec("- relu"), x=(2**30, 2**30))[0]
    two = parse("inputs: {x: 'float32[N, 3, 8]', y: 'float32[N, 3, 8]'}\nlayers:\n- add: [x, y]")
    (text,) = said(two, x=(1, 3, 8), y=(2, 3, 8))
    assert "N is given both as 1 and as 2 [symbol]" in text


def test_names_of_weights_are_taken() -> None:
    texts = said(spec("- conv: {filters: 2, kernel: 3}\n  name: c\n- relu:\n  name: c.weight"))
    assert texts == [
        "net.yaml:5:3: the name 'c.weight' is taken by a part of the layer 'c' [name-taken]\n"
        "    rule: weights and padding are named after their layer: conv1.weight, conv1.bias, conv1.pad\n"
        "    fix: choose another name"
    ]
    padded = "- conv: {filters: 2, kernel: 3, pad: 1, pad_mode: edge}\n  name: c\n- relu:\n  name: c.pad"
    assert "'c.pad' is taken" in said(spec(padded))[0]
