"""Graphs drawn by hand, one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from onnxconv.geometry import Axis, TransposedAxis, Window
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Operator,
    Relu,
    Shape,
)

RELU = Relu()


@dataclass
class Sketch:
    """A graph in the making; every method adds a layer after the last one, or after those named, and returns its name."""

    shape: Shape = ("N", 3, 16, 16)
    dtype: str = "float32"
    nodes: list[Node] = field(default_factory=list)
    last: str = "x"

    def __post_init__(self) -> None:
        self.types = {"x": TensorType(self.dtype, self.shape)}

    def add(self, op: Operator, *inputs: str, name: str = "") -> str:
        inputs = inputs or (self.last,)
        name = name or f"{op.kind.lower()}{len(self.nodes)}"
        shapes = [self.types[i].shape for i in inputs]
        fan = 1
        params = []
        for role, shape in op.weight_shapes(*shapes).items():
            if role == "weight" and len(shape) > 1:
                fan = max(1, op.roundings(*shapes) - 1)
            kind, values = {
                "weight": ("he_normal", ()) if len(shape) > 1 else ("uniform", (0.5, 1.5)),
                "bias": ("uniform", (-0.5, 0.5)),
                "running_mean": ("uniform", (-0.5, 0.5)),
                "running_var": ("uniform", (0.5, 1.5)),
            }[role]
            initial = Initial(f"{name}.{role}", shape, kind, values, (fan, fan))
            params.append((role, Param(f"{name}.{role}", self.dtype, shape, initial)))
        dtype = op.out_dtype(*(self.types[i].dtype for i in inputs))
        self.types[name] = TensorType(dtype, op.out_shape(*shapes))
        self.nodes.append(Node(name, op, inputs, name, self.types[name], tuple(params)))
        self.last = name
        return name

    def graph(self, *outputs: str) -> Graph:
        return Graph("sketch", (("x", self.types["x"]),), tuple(self.nodes), outputs or (self.last,))

    def conv(self, filters: int, size: int = 3, stride: int = 1, pad: int | None = None, **more: object) -> str:
        rank = len(self.types[self.last].shape) - 2
        axis = Axis(size, stride, 1, ((size // 2 if pad is None else pad),) * 2)
        return self.add(Conv((axis,) * rank, filters, **more))  # type: ignore[arg-type]

    def conv_bn_relu(
        self, filters: int, size: int = 3, stride: int = 1, relu: Operator | None = RELU, **more: object
    ) -> str:
        self.conv(filters, size, stride, bias=False, **more)
        self.add(BatchNorm())
        return self.add(relu) if relu else self.last


def window(*axes: Sequence[int] | Axis) -> Window:
    """Axes from (size, stride, dilation, begin, end)."""
    return tuple(a if isinstance(a, Axis) else Axis(a[0], a[1], a[2], (a[3], a[4])) for a in axes)


def pooled(size: int = 2, stride: int = 2, pad: int = 0) -> MaxPool:
    return MaxPool((Axis(size, stride, 1, (pad, pad)),) * 2)


def small() -> Graph:
    """Every kind of layer once or twice, 2-D, small."""
    s = Sketch()
    s.add(Conv(window((3, 2, 1, 0, 2), (5, 1, 2, 4, 1)), 8, 1), name="stem")
    s.add(BatchNorm(), name="norm")
    skip = s.add(Relu(), name="relu")
    s.add(Conv(window((3, 1, 1, 1, 1), (3, 1, 1, 1, 1)), 16, 4), name="grouped")
    s.add(Clip(0.0, 6.0), name="relu6")
    s.add(Conv(window((1, 1, 1, 0, 0), (1, 1, 1, 0, 0)), 8), name="narrow")
    s.add(Add(), s.last, skip, name="sum")
    s.add(pooled(3, 2, 1), name="max")
    low = s.last
    s.add(ConvTranspose((TransposedAxis(3, 2, 1, (1, 1), 1),) * 2, 6, 2), name="up")
    s.add(AveragePool(window((2, 2, 1, 0, 0), (2, 2, 1, 0, 0))), name="mean")
    s.add(Concat(1), low, s.last, name="join")
    s.conv(12, 3)
    s.add(GlobalAveragePool())
    s.add(Flatten())
    s.add(Dense(10), name="classes")
    return s.graph()


def resnet(blocks: Sequence[int] = (3, 4, 6, 3), size: int = 224, classes: int = 1000) -> Graph:
    """Residual bottlenecks, as in ResNet-50."""
    s = Sketch(("N", 3, size, size))
    s.conv_bn_relu(64, 7, 2)
    s.add(pooled(3, 2, 1))
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for i in range(count):
            stride, start = (2 if stage and not i else 1), s.last
            s.conv_bn_relu(width, 1)
            s.conv_bn_relu(width, 3, stride)
            branch = s.conv_bn_relu(4 * width, 1, relu=None)
            if not i:
                s.last = start
                start = s.conv_bn_relu(4 * width, 1, stride, relu=None)
            s.add(Add(), branch, start)
            s.add(Relu())
    s.add(GlobalAveragePool())
    s.add(Flatten())
    s.add(Dense(classes))
    return s.graph()


def mobilenet(size: int = 224) -> Graph:
    """Inverted residuals with ReLU6, as in MobileNet-V2."""
    s = Sketch(("N", 3, size, size))
    relu6 = Clip(0.0, 6.0)
    s.conv_bn_relu(32, 3, 2, relu6)
    channels = 32
    for t, c, n, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for i in range(n):
            start = s.last
            if t > 1:
                s.conv_bn_relu(channels * t, 1, 1, relu6)
            s.conv_bn_relu(channels * t, 3, stride if i == 0 else 1, relu6, groups=channels * t)
            s.conv_bn_relu(c, 1, relu=None)
            if i:
                s.add(Add(), s.last, start)
            channels = c
    s.conv_bn_relu(1280, 1, 1, relu6)
    s.add(GlobalAveragePool())
    s.add(Flatten())
    s.add(Dense(1000))
    return s.graph()


def vgg(size: int = 224) -> Graph:
    """Convolutions, max pools and three large dense layers, as in VGG-16."""
    s = Sketch(("N", 3, size, size))
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            s.conv(width)
            s.add(Relu())
        s.add(pooled())
    s.add(Flatten())
    for features in (4096, 4096):
        s.add(Dense(features))
        s.add(Relu())
    s.add(Dense(1000))
    return s.graph()
