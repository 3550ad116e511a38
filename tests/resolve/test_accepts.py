"""What each kind of layer becomes: operators, shapes, and pads as numbers."""

from __future__ import annotations

import pytest

from onnxconv.geometry import Axis, Sampling, TransposedAxis
from onnxconv.graph import Graph, Tiled
from onnxconv.ops import (
    END,
    Abs,
    Add,
    AveragePool,
    BatchNorm,
    Cast,
    ChannelShuffle,
    Clip,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthToSpace,
    Div,
    Elu,
    Equal,
    Erf,
    Exp,
    Expand,
    Flatten,
    Gather,
    Gelu,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    Greater,
    GreaterOrEqual,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Less,
    LessOrEqual,
    LocalResponseNorm,
    Log,
    LpPool,
    MatMul,
    Max,
    MaxPool,
    Min,
    Mish,
    Mul,
    Neg,
    Operator,
    Pad,
    Pow,
    PRelu,
    Range,
    Reciprocal,
    ReduceMax,
    ReduceMean,
    Relu,
    Rescale,
    Reshape,
    Resize,
    Sigmoid,
    Silu,
    Slice,
    Softmax,
    Softplus,
    SpaceToDepth,
    Sqrt,
    Squeeze,
    Sub,
    Tanh,
    Tile,
    Transpose,
    Unsqueeze,
    Where,
)
from onnxconv.resolve import LOWERINGS, resolve
from onnxconv.resolve.arithmetic import REDUCED
from onnxconv.spec import LAYERS, parse


def graph(layers: str, x: str = "float32[N, 4, 9, 8]") -> Graph:
    return resolve(parse(f"inputs: {{x: '{x}'}}\nlayers:\n{layers}"))


def one(layer: str, x: str = "float32[N, 4, 9, 8]") -> tuple[tuple[Operator, ...], tuple[int | str, ...]]:
    """The operators of a single layer, and the shape of its output."""
    made = graph(f"- {layer}", x)
    return tuple(node.op for node in made.nodes), made.nodes[-1].type.shape


def test_every_kind_of_the_vocabulary_is_lowered() -> None:
    assert set(LOWERINGS) == set(LAYERS)


A, T = Axis, TransposedAxis
IMAGE = "float32[N, 4, 9, 8]"
FUNCTIONS: tuple[tuple[str, Operator], ...] = (
    *(("neg", Neg()), ("abs", Abs()), ("sqrt", Sqrt()), ("exp", Exp()), ("log", Log()), ("erf", Erf())),
    ("reciprocal", Reciprocal()),
)
PAIRS: tuple[tuple[str, Operator], ...] = (
    *(("sub", Sub()), ("div", Div()), ("pow", Pow()), ("maximum", Max())),
    *(("equal", Equal()), ("less", Less()), ("less_or_equal", LessOrEqual())),
    *(("greater", Greater()), ("greater_or_equal", GreaterOrEqual())),
)
ACCEPTED = [
    ("conv: {filters: 6, kernel: 3}", IMAGE, (Conv((A(3), A(3)), 6),), ("N", 6, 7, 6)),
    ("conv: {filters: 6, kernel: [3, 1]}", IMAGE, (Conv((A(3), A(1)), 6),), ("N", 6, 7, 8)),
    ("conv: {filters: 6, kernel: 3, bias: false}", IMAGE, (Conv((A(3), A(3)), 6, 1, False),), ("N", 6, 7, 6)),
    ("conv: {filters: 6, kernel: 3, group: 2}", IMAGE, (Conv((A(3), A(3)), 6, 2),), ("N", 6, 7, 6)),
    ("conv: {group: depthwise, kernel: 1}", IMAGE, (Conv((A(1), A(1)), 4, 4),), ("N", 4, 9, 8)),
    ("conv: {group: depthwise, filters: 8, kernel: 1}", IMAGE, (Conv((A(1), A(1)), 8, 4),), ("N", 8, 9, 8)),
    ("conv: {group: depthwise, multiplier: 3, kernel: 1}", IMAGE, (Conv((A(1), A(1)), 12, 4),), ("N", 12, 9, 8)),
    ("conv: {filters: 3, group: 2, join: sum, kernel: 1}", IMAGE, (Conv((A(1), A(1)), 3, 1),), ("N", 3, 9, 8)),
    ("conv: {filters: 2, kernel: 3, pad: 1}", IMAGE, (Conv((A(3, pad=(1, 1)),) * 2, 2),), ("N", 2, 9, 8)),
    ("conv: {filters: 2, kernel: 3, pad: [1, 0]}", IMAGE, (Conv((A(3, pad=(1, 1)), A(3)), 2),), ("N", 2, 9, 6)),
    (
        "conv: {filters: 2, kernel: 3, pad: [[2, 0], [0, 1]]}",
        IMAGE,
        (Conv((A(3, pad=(2, 0)), A(3, pad=(0, 1))), 2),),
        ("N", 2, 9, 7),
    ),
    (
        "conv: {filters: 2, kernel: 4, pad: same}",
        IMAGE,
        (Conv((A(4, pad=(1, 2)),) * 2, 2),),
        ("N", 2, 9, 8),
    ),
    (
        "conv: {filters: 2, kernel: 4, pad: same_lower}",
        IMAGE,
        (Conv((A(4, pad=(2, 1)),) * 2, 2),),
        ("N", 2, 9, 8),
    ),
    (
        "conv: {filters: 2, kernel: 3, stride: 2, pad: same}",
        IMAGE,
        (Conv((A(3, 2, pad=(1, 1)), A(3, 2, pad=(0, 1))), 2),),
        ("N", 2, 5, 4),
    ),
    ("conv: {filters: 2, kernel: 3, pad: valid}", IMAGE, (Conv((A(3), A(3)), 2),), ("N", 2, 7, 6)),
    (
        "conv: {filters: 2, kernel: 3, dilation: 2, pad: causal}",
        IMAGE,
        (Conv((A(3, 1, 2, (4, 0)),) * 2, 2),),
        ("N", 2, 9, 8),
    ),
    (
        "conv: {filters: 2, kernel: 3, dilation: [1, 2], pad: full}",
        IMAGE,
        (Conv((A(3, 1, 1, (2, 2)), A(3, 1, 2, (4, 4))), 2),),
        ("N", 2, 11, 12),
    ),
    (
        "conv: {filters: 2, kernel: 3, stride: 2, pad: {output: [5, 4]}}",
        IMAGE,
        (Conv((A(3, 2, pad=(1, 1)), A(3, 2, pad=(0, 1))), 2),),
        ("N", 2, 5, 4),
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: 1, pad_mode: reflect}",
        IMAGE,
        (Pad(((1, 1), (1, 1)), "reflect"), Conv((A(3), A(3)), 2)),
        ("N", 2, 9, 8),
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: same, pad_mode: constant, pad_value: -1.5}",
        IMAGE,
        (Pad(((1, 1), (1, 1)), "constant", -1.5), Conv((A(3), A(3)), 2)),
        ("N", 2, 9, 8),
    ),
    (
        "conv: {filters: 2, kernel: 3, pad: 1, pad_mode: constant}",
        IMAGE,
        (Conv((A(3, pad=(1, 1)),) * 2, 2),),
        ("N", 2, 9, 8),
    ),
    ("conv: {filters: 2, kernel: 1, pad: same, pad_mode: wrap}", IMAGE, (Conv((A(1), A(1)), 2),), ("N", 2, 9, 8)),
    (
        "conv_transpose: {filters: 2, kernel: 3, stride: 2, pad: 1, output_pad: 1}",
        IMAGE,
        (ConvTranspose((T(3, 2, 1, (1, 1), 1),) * 2, 2),),
        ("N", 2, 18, 16),
    ),
    (
        "conv_transpose: {filters: 2, kernel: 5, stride: 2, pad: same, group: 2}",
        IMAGE,
        (ConvTranspose((T(5, 2, 1, (1, 2)),) * 2, 2, 2),),
        ("N", 2, 18, 16),
    ),
    (
        "conv_transpose: {filters: 2, kernel: 4, stride: 2, pad: {output: [17, 18]}}",
        IMAGE,
        (ConvTranspose((T(4, 2, 1, (1, 2)), T(4, 2)), 2),),
        ("N", 2, 17, 18),
    ),
    ("conv_transpose: {filters: 4, kernel: 1, group: depthwise}", IMAGE, (ConvTranspose((T(1),) * 2, 4, 4),), ("N", 4, 9, 8)),
    ("max_pool: 2", IMAGE, (MaxPool((A(2, 2), A(2, 2))),), ("N", 4, 4, 4)),
    ("max_pool: [2, 3]", IMAGE, (MaxPool((A(2, 2), A(3, 3))),), ("N", 4, 4, 2)),
    ("max_pool: {kernel: 2, stride: 1}", IMAGE, (MaxPool((A(2, 1), A(2, 1))),), ("N", 4, 8, 7)),
    ("max_pool: {kernel: 2, ceil: true}", IMAGE, (MaxPool((A(2, 2, 1, (0, 1)), A(2, 2))),), ("N", 4, 5, 4)),
    ("max_pool: {kernel: 2, dilation: 3}", IMAGE, (MaxPool((A(2, 2, 3), A(2, 2, 3))),), ("N", 4, 3, 3)),
    ("average_pool: 3", IMAGE, (AveragePool((A(3, 3), A(3, 3))),), ("N", 4, 3, 2)),
    (
        "average_pool: {kernel: 3, pad: 1, count_include_pad: true}",
        IMAGE,
        (AveragePool((A(3, 3, 1, (1, 1)),) * 2, True),),
        ("N", 4, 3, 3),
    ),
    (
        "average_pool: {kernel: 2, stride: 2, pad: 1, ceil: true}",
        IMAGE,
        (AveragePool((A(2, 2, 1, (1, 1)),) * 2),),  # a sixth window along 9 pixels would start in the end padding
        ("N", 4, 5, 5),
    ),
    (
        "average_pool: {kernel: 3, stride: 2, pad: [1, 0], ceil: true, count_include_pad: true}",
        IMAGE,
        (Pad(((1, 1), (0, 0))), AveragePool((A(3, 2), A(3, 2, 1, (0, 1))))),
        ("N", 4, 5, 4),
    ),
    (
        "average_pool: {kernel: 3, ceil: true, count_include_pad: true}",
        IMAGE,
        (AveragePool((A(3, 3), A(3, 3, 1, (0, 1)))),),
        ("N", 4, 3, 3),
    ),
    ("max_pool: {kernel: 3, stride: 2, ceil: true}", "float32[N, 4, 2]", (MaxPool((A(3, 2, 1, (0, 1)),)),), ("N", 4, 1)),
    ("global_max_pool", IMAGE, (GlobalMaxPool(),), ("N", 4, 1, 1)),
    ("lp_pool: 3", IMAGE, (LpPool((A(3, 3), A(3, 3))),), ("N", 4, 3, 2)),
    ("lp_pool: {kernel: 2, p: 3, ceil: true}", IMAGE, (LpPool((A(2, 2, 1, (0, 1)), A(2, 2)), 3),), ("N", 4, 5, 4)),
    ("global_lp_pool: 1", IMAGE, (GlobalLpPool(1),), ("N", 4, 1, 1)),
    ("global_average_pool", IMAGE, (GlobalAveragePool(),), ("N", 4, 1, 1)),
    ("relu", IMAGE, (Relu(),), ("N", 4, 9, 8)),
    ("relu6", IMAGE, (Clip(0.0, 6.0),), ("N", 4, 9, 8)),
    ("leaky_relu", IMAGE, (LeakyRelu(0.01),), ("N", 4, 9, 8)),
    ("leaky_relu: 0.2", IMAGE, (LeakyRelu(0.2),), ("N", 4, 9, 8)),
    ("clip: {min: -1}", IMAGE, (Clip(-1.0, None),), ("N", 4, 9, 8)),
    ("sigmoid", IMAGE, (Sigmoid(),), ("N", 4, 9, 8)),
    ("silu", IMAGE, (Silu(),), ("N", 4, 9, 8)),
    ("prelu", IMAGE, (PRelu(),), ("N", 4, 9, 8)),
    ("prelu: true", IMAGE, (PRelu(True),), ("N", 4, 9, 8)),
    ("layer_norm", IMAGE, (LayerNorm((1,)),), ("N", 4, 9, 8)),
    ("layer_norm: last_axis", IMAGE, (LayerNorm((3,)),), ("N", 4, 9, 8)),
    ("layer_norm: {over: all_axes, epsilon: 1e-6, bias: false}", IMAGE, (LayerNorm((1, 2, 3), 1e-6, False),), ("N", 4, 9, 8)),
    ("group_norm: 2", IMAGE, (GroupNorm(2),), ("N", 4, 9, 8)),
    ("instance_norm: {epsilon: 0.1}", IMAGE, (InstanceNorm(0.1),), ("N", 4, 9, 8)),
    ("lrn", IMAGE, (LocalResponseNorm(5),), ("N", 4, 9, 8)),
    ("lrn: {size: 3, alpha: 0.1, beta: 0.5, k: 2}", IMAGE, (LocalResponseNorm(3, 0.1, 0.5, 2.0),), ("N", 4, 9, 8)),
    ("reduce_mean: [3, 2]", IMAGE, (ReduceMean((2, 3)),), ("N", 4, 1, 1)),
    ("reduce_max: {axes: 1, keep: false}", IMAGE, (ReduceMax((1,), False),), ("N", 9, 8)),
    *((f"{kind}: 3", IMAGE, (op((3,)),), ("N", 4, 9, 1)) for kind, op in REDUCED.items()),
    *((kind, IMAGE, (op,), ("N", 4, 9, 8)) for kind, op in FUNCTIONS),
    *((f"{kind}: [x, x]", IMAGE, (op,), ("N", 4, 9, 8)) for kind, op in PAIRS),
    ("minimum: [x, x, x]", IMAGE, (Min(),), ("N", 4, 9, 8)),
    ("where: [[less: [x, x]], x, x]", IMAGE, (Less(), Where()), ("N", 4, 9, 8)),
    ("matmul: [x, x]", "float32[N, 4, 9, 9]", (MatMul(),), ("N", 4, 9, 9)),
    ("scale", IMAGE, (Constant((4, 1, 1)), Mul()), ("N", 4, 9, 8)),
    ("constant: [4, 1, 1]", IMAGE, (Constant((4, 1, 1)),), (4, 1, 1)),
    ("add: [previous, [constant: [9, 1]]]", IMAGE, (Constant((9, 1)), Add()), ("N", 4, 9, 8)),
    ("tanh", IMAGE, (Tanh(),), ("N", 4, 9, 8)),
    ("elu", IMAGE, (Elu(1.0),), ("N", 4, 9, 8)),
    ("elu: 0.5", IMAGE, (Elu(0.5),), ("N", 4, 9, 8)),
    ("hard_sigmoid", IMAGE, (HardSigmoid(0.2, 0.5),), ("N", 4, 9, 8)),
    ("hard_sigmoid: {alpha: 0.25, beta: -1}", IMAGE, (HardSigmoid(0.25, -1.0),), ("N", 4, 9, 8)),
    ("hard_swish", IMAGE, (HardSwish(),), ("N", 4, 9, 8)),
    ("softplus", IMAGE, (Softplus(),), ("N", 4, 9, 8)),
    ("gelu", IMAGE, (Gelu(),), ("N", 4, 9, 8)),
    ("gelu: tanh", IMAGE, (Gelu("tanh"),), ("N", 4, 9, 8)),
    ("mish", IMAGE, (Mish(),), ("N", 4, 9, 8)),
    ("softmax", IMAGE, (Softmax(1),), ("N", 4, 9, 8)),
    ("softmax: 3", IMAGE, (Softmax(3),), ("N", 4, 9, 8)),
    ("batch_norm", IMAGE, (BatchNorm(1e-5),), ("N", 4, 9, 8)),
    ("batch_norm: {epsilon: 0.001}", IMAGE, (BatchNorm(1e-3),), ("N", 4, 9, 8)),
    ("add: [x, x]", IMAGE, (Add(),), ("N", 4, 9, 8)),
    ("mul: [x, x, x]", IMAGE, (Mul(),), ("N", 4, 9, 8)),
    ("concat: [x, x]", IMAGE, (Concat(1),), ("N", 8, 9, 8)),
    ("concat: {of: [x, x], axis: 2}", IMAGE, (Concat(2),), ("N", 4, 18, 8)),
    ("flatten", IMAGE, (Flatten(),), ("N", 288)),
    ("flatten: 2", IMAGE, (Flatten(2),), ("4*N", 72)),
    ("reshape: [0, 2, 2, -1]", IMAGE, (Reshape((0, 2, 2, -1)),), ("N", 2, 2, 72)),
    ("transpose: [0, 2, 3, 1]", IMAGE, (Transpose((0, 2, 3, 1)),), ("N", 9, 8, 4)),
    ("squeeze: 1", "float32[N, 1, 9]", (Squeeze((1,)),), ("N", 9)),
    ("unsqueeze: [1, 3]", "float32[N, 9]", (Unsqueeze((1, 3)),), ("N", 1, 9, 1)),
    ("slice: {axis: 2, start: 1, stop: -1, step: 3}", IMAGE, (Slice((Range(2, 1, -1, 3),)),), ("N", 4, 3, 8)),
    ("slice: {axis: 3, start: -2}", IMAGE, (Slice((Range(3, -2),)),), ("N", 4, 9, 2)),
    ("slice: {axis: 3, step: -1}", IMAGE, (Slice((Range(3, -1, -END, -1),)),), ("N", 4, 9, 8)),
    ("gather: {axis: 1, indices: [3, 0]}", IMAGE, (Gather((3, 0), (2,), 1),), ("N", 2, 9, 8)),
    ("gather: {axis: 1, indices: -1}", IMAGE, (Gather((-1,), (), 1),), ("N", 9, 8)),
    ("expand: [4, 1, 1]", "float32[N, 1, 9, 8]", (Expand((4, 1, 1)),), ("N", 4, 9, 8)),
    ("tile: [1, 2, 1, 3]", IMAGE, (Tile((1, 2, 1, 3)),), ("N", 8, 9, 24)),
    ("channel_shuffle: 2", IMAGE, (ChannelShuffle(2),), ("N", 4, 9, 8)),
    ("depth_to_space: 2", IMAGE, (DepthToSpace(2),), ("N", 1, 18, 16)),
    ("depth_to_space: {block: 2, order: crd}", IMAGE, (DepthToSpace(2, "CRD"),), ("N", 1, 18, 16)),
    ("space_to_depth: 2", "float32[N, 3, 8, W]", (SpaceToDepth(2),), ("N", 12, 4, "W//2")),
    ("space_to_depth: {block: 3, order: crd}", "float32[N, 3, 9, 6]", (SpaceToDepth(3, "CRD"),), ("N", 27, 3, 2)),
    ("upsample: 2", IMAGE, (Resize((Rescale(2, (2, 1)), Rescale(3, (2, 1))), Sampling(nearest="floor"), "asymmetric"),), ("N", 4, 18, 16)),
    ("upsample: {factor: [3, 1], mode: linear}", IMAGE, (Resize((Rescale(2, (3, 1)), Rescale(3, (1, 1))), Sampling("linear")),), ("N", 4, 27, 8)),
    ("upsample: {factor: 2, mode: cubic, align_corners: true}", "float32[N, 4, 9]", (Resize((Rescale(2, (2, 1)),), Sampling("cubic"), "align_corners"),), ("N", 4, 18)),
    ("resize: {scale: 1.5}", IMAGE, (Resize((Rescale(2, (3, 2)), Rescale(3, (3, 2)))),), ("N", 4, 13, 12)),
    ("resize: {size: [5, 6], mode: linear, coordinates: align_corners, antialias: true}", IMAGE, (Resize((Rescale(2, size=5), Rescale(3, size=6)), Sampling("linear", antialias=True), "align_corners"),), ("N", 4, 5, 6)),
    ("resize: {scale: 3, mode: cubic, cubic_a: -0.5, exclude_outside: true}", IMAGE, (Resize((Rescale(2, (3, 1)), Rescale(3, (3, 1))), Sampling("cubic", a=-0.5, outside=False)),), ("N", 4, 27, 24)),
    ("resize: {scale: 2, round: ceil}", "float32[N, 4, H]", (Resize((Rescale(2, (2, 1)),), Sampling(nearest="ceil")),), ("N", 4, "2*H")),
    ("cast: float16", IMAGE, (Cast("float16"),), ("N", 4, 9, 8)),
    ("dense: 7", "float32[N, 12]", (Dense(7),), ("N", 7)),
    ("dense: {features: 7, bias: false}", "float32[N, 12]", (Dense(7, False),), ("N", 7)),
    ("batch_norm", "float32[N, 12]", (BatchNorm(1e-5),), ("N", 12)),
    ("pad: 1", IMAGE, (Pad(((1, 1), (1, 1))),), ("N", 4, 11, 10)),
    ("pad: {pad: [[1, 2], 3], pad_mode: edge}", IMAGE, (Pad(((1, 2), (3, 3)), "edge"),), ("N", 4, 12, 14)),
    ("pad: {pad: 1, pad_mode: constant, pad_value: 2}", IMAGE, (Pad(((1, 1), (1, 1)), "constant", 2.0),), ("N", 4, 11, 10)),
    ("pad: {pad: [[0, 4], 0, 1], axis: 1}", IMAGE, (Pad(((0, 4), (0, 0), (1, 1)), first=1),), ("N", 8, 9, 10)),
    ("pad: {pad: [[2, 1]], axis: 1}", "float32[N, 4]", (Pad(((2, 1),), first=1),), ("N", 7)),
    ("crop: 1", IMAGE, (Slice((Range(2, 1, -1), Range(3, 1, -1))),), ("N", 4, 7, 6)),
    ("crop: [[0, 2], [3, 0]]", "float32[N, 4, H, 8]", (Slice((Range(2, 0, -2), Range(3, 3))),), ("N", 4, "H-2", 5)),
    ("dropout: 0.5", IMAGE, (Identity(),), ("N", 4, 9, 8)),
    ("identity", IMAGE, (Identity(),), ("N", 4, 9, 8)),
    # other ranks
    ("conv: {filters: 2, kernel: 3, pad: causal, dilation: 4}", "float32[N, 1, T]", (Conv((A(3, 1, 4, (8, 0)),), 2),), ("N", 2, "T")),
    ("conv: {filters: 2, kernel: 3, pad: [[1, 2]]}", "float32[N, 1, 9]", (Conv((A(3, pad=(1, 2)),), 2),), ("N", 2, 10)),
    ("conv: {filters: 2, kernel: 3, pad: 1}", "float16[N, 1, 4, 4, 4]", (Conv((A(3, pad=(1, 1)),) * 3, 2),), ("N", 2, 4, 4, 4)),
    ("conv: {filters: 2, kernel: 1}", "float64[1, 1, 2, 2, 2, 2]", (Conv((A(1),) * 4, 2),), (1, 2, 2, 2, 2, 2)),
    # symbolic sizes
    ("conv: {filters: 2, kernel: 3, stride: 2}", "float32[N, 1, H, W]", (Conv((A(3, 2),) * 2, 2),), ("N", 2, "(H+1)//2-1", "(W+1)//2-1")),
    ("conv: {filters: 2, kernel: 3, pad: same}", "float32[N, 1, H, W]", (Conv((A(3, pad=(1, 1)),) * 2, 2),), ("N", 2, "H", "W")),
    ("conv_transpose: {filters: 2, kernel: 2, stride: 2, pad: same}", "float32[N, 1, L]", (ConvTranspose((T(2, 2),), 2),), ("N", 2, "2*L")),
    ("max_pool: {kernel: 3, stride: 1, ceil: true, pad: 1}", "float32[N, 1, L]", (MaxPool((A(3, pad=(1, 1)),)),), ("N", 1, "L")),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "x", "ops", "shape"), ACCEPTED)
def test_layers(layer: str, x: str, ops: tuple[Operator, ...], shape: tuple[int | str, ...]) -> None:
    assert one(layer, x) == (ops, shape)


def test_nodes_tensors_and_weights_are_named_after_their_layer() -> None:
    made = graph("- conv: {filters: 2, kernel: 3, pad: 1, pad_mode: edge}\n  name: first\n- batch_norm\n- relu")
    assert [(n.name, n.inputs, n.output) for n in made.nodes] == [
        ("first.pad", ("x",), "first.pad"),
        ("first", ("first.pad",), "first"),
        ("batch_norm", ("first",), "batch_norm"),
        ("relu", ("batch_norm",), "relu"),
    ]
    assert [(p.name, p.shape) for p in made.params()] == [
        ("first.weight", (2, 4, 3, 3)),
        ("first.bias", (2,)),
        *((f"batch_norm.{role}", (2,)) for role in ("weight", "bias", "running_mean", "running_var")),
    ]
    assert made.outputs == ("relu",)
    assert made.nodes[1].where.line == 3


INITIALS = [
    # fan: taps per output, and outputs per tap
    ("conv: {filters: 6, kernel: 3}", "weight", ((6, 4, 3, 3), "he_normal", (), (36, 54))),
    ("conv: {filters: 6, kernel: 3, group: 2}", "weight", ((6, 2, 3, 3), "he_normal", (), (18, 27))),
    ("conv: {filters: 6, kernel: 3, group: 2, join: sum}", "weight", ((6, 4, 3, 3), "he_normal", (), (36, 54))),
    ("conv: {filters: 6, kernel: 3, group: 2, tied: true}", "weight", ((3, 2, 3, 3), "he_normal", (), (18, 27))),
    ("conv: {filters: 6, kernel: 3, group: 2, tied: true, join: sum}", "weight", ((6, 2, 3, 3), "he_normal", (), (36, 54))),
    ("conv: {filters: 6, kernel: 1}", "bias", ((6,), "uniform", (-0.125, 0.125), (4, 6))),
    ("conv: {filters: 6, kernel: 1, init: {weight: ones}}", "weight", ((6, 4, 1, 1), "ones", (), (4, 6))),
    ("conv: {filters: 6, kernel: 1, init: {bias: {uniform: [-1, 2]}}}", "bias", ((6,), "uniform", (-1.0, 2.0), (4, 6))),
    ("conv_transpose: {filters: 6, kernel: 3, stride: 2}", "weight", ((4, 6, 3, 3), "he_normal", (), (16, 54))),
    ("batch_norm", "weight", ((4,), "uniform", (0.5, 1.5), (1, 1))),
    ("layer_norm", "weight", ((4,), "uniform", (0.5, 1.5), (1, 1))),
    ("layer_norm: all_axes", "bias", ((4, 9, 8), "uniform", (-0.5, 0.5), (1, 1))),
    ("group_norm: 2", "weight", ((4,), "uniform", (0.5, 1.5), (1, 1))),
    ("instance_norm", "bias", ((4,), "uniform", (-0.5, 0.5), (1, 1))),
    ("batch_norm", "running_mean", ((4,), "uniform", (-0.5, 0.5), (1, 1))),
    ("prelu", "weight", ((4, 1, 1), "uniform", (0.125, 0.375), (1, 1))),
    ("prelu: {shared: true, init: {weight: {constant: [0.2]}}}", "weight", ((1, 1, 1), "constant", (0.2,), (1, 1))),
    ("batch_norm", "running_var", ((4,), "uniform", (0.5, 1.5), (1, 1))),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "role", "expected"), INITIALS)
def test_what_is_stored_and_how_it_is_drawn(layer: str, role: str, expected: tuple[object, ...]) -> None:
    (node,) = graph(f"- {layer}").nodes
    (initial,) = dict(node.params)[role].stored()
    assert (initial.shape, initial.kind, initial.values, initial.fan) == expected
    assert initial.name == f"{layer.partition(':')[0]}.{role}"
    assert initial.learned is not role.startswith("running_")


@pytest.mark.parametrize(
    ("layer", "drawn"),
    [("scale", ("uniform", (0.5, 1.5))), ("scale: {init: {weight: {constant: [1e-6]}}}", ("constant", (1e-6,)))],
)
def test_the_factors_of_a_scale_are_its_weight(layer: str, drawn: tuple[object, ...]) -> None:
    made = graph(f"- {layer}")
    (param,) = made.params()
    (initial,) = param.stored()
    assert (param.name, param.shape) == (initial.name, initial.shape) == ("scale.weight", (4, 1, 1))
    assert (initial.kind, initial.values) == drawn
    assert made.nodes[-1].inputs == ("x", "scale.weight")


@pytest.mark.parametrize(
    ("join", "shape", "repeats"), [("concat", (6, 2, 3, 3), (2, 1, 1, 1)), ("sum", (6, 4, 3, 3), (1, 2, 1, 1))]
)
def test_tied_kernels_are_one_stored_kernel_repeated(
    join: str, shape: tuple[int, ...], repeats: tuple[int, ...]
) -> None:
    (node,) = graph(f"- conv: {{filters: 6, kernel: 3, group: 2, tied: true, join: {join}}}").nodes
    weight = dict(node.params)["weight"]
    assert isinstance(weight.recipe, Tiled)
    assert (weight.shape, weight.recipe.repeats) == (shape, repeats)
    assert weight.learned * 2 == 6 * shape[1] * 9


def test_a_kernel_tied_across_one_group_is_an_ordinary_one() -> None:
    assert graph("- conv: {filters: 6, kernel: 3, tied: true}") == graph("- conv: {filters: 6, kernel: 3}")


def test_input_shapes_replace_those_of_the_spec() -> None:
    spec = parse("inputs: {x: 'float32[N, 3, H, W]', y: 'float32[N, 3, 8, 8]'}\nlayers:\n- add: [x, y]")
    made = resolve(spec, {"x": (2, 3, 8, 8)})
    assert [(name, t.shape) for name, t in made.inputs] == [("x", (2, 3, 8, 8)), ("y", (2, 3, 8, 8))]
    assert made.nodes[0].type.shape == (2, 3, 8, 8)


def test_equal_specs_have_equal_digests_however_they_are_written() -> None:
    from onnxconv.spec import read

    text = "name: net\ninputs:\n  x: float32[N, 3, 8, 8]\nlayers:\n  - conv: {filters: 4, kernel: 3, stride: 2}\n  - relu\n"
    other = '{"name":"net","inputs":{"x":"float32[N, 3, 8, 8]"},"layers":[{"conv":{"stride":[2,2],"kernel":3,"filters":4}},"relu"]}'
    mapping = {
        "name": "net",
        "inputs": {"x": "float32[N, 3, 8, 8]"},
        "layers": [{"conv": {"filters": 4, "kernel": 3, "stride": 2}}, "relu"],
    }
    graphs = [resolve(parse(text)), resolve(parse(other, "net.json")), resolve(read(mapping))]
    assert graphs[0] == graphs[1] == graphs[2]
    assert len({g.digest() for g in graphs}) == 1
    assert resolve(parse(text.replace("stride: 2", "stride: 1"))).digest() != graphs[0].digest()
