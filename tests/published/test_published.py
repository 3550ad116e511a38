"""Parameters, multiply-adds and receptive fields of the shipped specs against published figures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import onnx
import pytest

from onnxconv.cost import costs
from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.graph import Graph
from onnxconv.receptive import receptive_fields
from onnxconv.resolve import resolve
from onnxconv.spec import read
from onnxconv.weights import seeded

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.yaml"))


def network(name: str, **parameters: int) -> Graph:
    return resolve(read(SPECS / f"{name}.yaml", parameters))


PUBLISHED = [
    # torchvision, table of classification weights: parameters, and GMAC under the name GFLOPS
    ("resnet18", 11_689_512, 1.814),
    ("resnet50", 25_557_032, 4.089),
    ("resnet101", 44_549_160, 7.801),
    ("resnet152", 60_192_808, 11.514),
    ("resnext50_32x4d", 25_028_904, 4.230),
    ("vgg16", 138_357_544, 15.470),
    ("mobilenet_v2", 3_504_872, 0.301),
    ("mobilenet_v3_small", 2_542_856, 0.057),
    ("efficientnet_b0", 5_288_548, 0.386),
    ("shufflenet_v2_x1_0", 2_278_604, 0.145),
    ("convnext_tiny", 28_589_128, 4.456),
    ("alexnet", 61_100_840, 0.714),
    ("squeezenet1_1", 1_235_496, 0.349),
    ("googlenet", 6_624_904, 1.498),
    ("densenet121", 7_978_856, 2.834),
    # the same table counts the parameters of the auxiliary head too, see test_inception_auxiliary_head
    ("inception_v3", 23_834_568, 5.713),
    # torchvision, table of video classification weights
    ("r3d_18", 33_371_472, 40.697),
    # Keras Applications, trainable parameters; Howard et al. 2017, table 8: 569 million mult-adds
    ("mobilenet_v1", 4_231_976, 0.569),
    # LeCun et al. 1998, layer by layer with all maps of S2 connected: 156 + 2,416 + 48,120 + 10,164 + 850
    ("lenet5", 61_706, 0.000),
]


@pytest.mark.parametrize(("name", "params", "giga_macs"), PUBLISHED)
def test_parameters_and_macs(name: str, params: int, giga_macs: float) -> None:
    totals = costs(network(name)).totals
    assert totals.params == params
    assert totals.macs is not None
    assert round(totals.macs / 1e9, 3) == giga_macs


PUBLISHED_VARIANTS = [
    # MMAction2, C3D on UCF101: 78.4 M parameters, 38.5 GMAC; parameters to the last digit by hand, see test_c3d_by_hand
    ("c3d", {"classes": 101}, 78_409_573, 38_547_378_176),
    # zhixuhao/unet without its last layer: one channel in, one class out
    ("unet", {"classes": 1}, 31_030_593, None),
    # Keras Applications with 10 classes: the dense layer alone changes
    ("mobilenet_v1", {"classes": 10}, 4_231_976 - 990 * 1025, None),
    # strides have no weights: the parameters of torchvision's resnet50; multiply-adds in test_slim_table
    ("resnet_v1_50_slim", {}, 25_557_032, None),
    # Dong et al. 2015: 8,032 weights in 9-1-5, and one bias per filter; 25 x 25 and 21 x 21 places
    ("srcnn", {}, 8_032 + 64 + 32 + 1, 25**2 * (9 * 9 * 64 + 64 * 32) + 21**2 * 5 * 5 * 32),
    # Shi et al. 2016, section 3.2: (f1, n1) = (5, 64), (f2, n2) = (3, 32), f3 = 3; all of it on the small image
    *(
        ("espcn", {"factor": r}, weights + 64 + 32 + r**2, 17**2 * weights)
        for r in (2, 3, 4)
        for weights in (5 * 5 * 64 + 3 * 3 * 64 * 32 + 3 * 3 * 32 * r**2,)
    ),
]


@pytest.mark.parametrize(("name", "parameters", "params", "macs"), PUBLISHED_VARIANTS)
def test_totals_to_the_last_digit(name: str, parameters: dict[str, int], params: int, macs: int | None) -> None:
    totals = costs(network(name, **parameters)).totals
    assert totals.params == params
    assert macs is None or totals.macs == macs


def test_c3d_by_hand() -> None:
    """Tran et al. 2014, figure 3: (channels in, filters, frames, height and width) of every convolution, then fc6 to fc8."""
    convs = [
        (3, 64, 16, 112),
        (64, 128, 16, 56),
        (128, 256, 8, 28),
        (256, 256, 8, 28),
        (256, 512, 4, 14),
        (512, 512, 4, 14),
        (512, 512, 2, 7),
        (512, 512, 2, 7),
    ]
    dense = [(8192, 4096), (4096, 4096), (4096, 487)]
    totals = costs(network("c3d")).totals
    assert totals.params == sum(27 * c * m + m for c, m, _, _ in convs) + sum(c * m + m for c, m in dense)
    assert totals.macs == sum(27 * c * m * t * s * s for c, m, t, s in convs) + sum(c * m for c, m in dense)


def test_inception_auxiliary_head() -> None:
    """torchvision counts 27,161,264 parameters, the auxiliary head included: two convolutions, their norms, a dense layer."""
    head = (768 * 128 + 2 * 128) + (128 * 768 * 5 * 5 + 2 * 768) + (768 * 1000 + 1000)
    graph = network("inception_v3", aux=1)
    assert costs(graph).totals.params == 27_161_264 == costs(network("inception_v3")).totals.params + head
    assert [graph.types()[output].shape for output in graph.outputs] == [("N", 1000), ("N", 1000)]
    assert len(network("inception_v3").outputs) == 1


def test_deeplab() -> None:
    """torchvision, table of segmentation weights: 42.0 M parameters and 178.72 GMAC at 520 pixels, the auxiliary head included."""
    graph = network("deeplabv3_resnet50", pixels=520, aux=1)
    totals = costs(graph).totals
    assert totals.params == 42_004_074
    assert totals.macs is not None
    assert round(totals.macs / 1e9, 3) == 178.722
    assert [graph.types()[output].shape for output in graph.outputs] == [("N", 21, 520, 520)] * 2
    assert [node.type.shape for node in graph.nodes if node.output == "pyramid"] == [("N", 1280, 65, 65)]
    # the auxiliary head: 3 x 3 to a quarter of the channels, its norm, classes
    head = 9 * 1024 * 256 + 2 * 256 + 256 * 21 + 21
    assert costs(network("deeplabv3_resnet50")).totals.params == 42_004_074 - head


def test_backbone_of_yolov8n() -> None:
    """Ultralytics' yolov8.yaml: 3,157,200 parameters in all; here with neck and head, layers 12 to 22 there, by hand."""

    def conv(channels: int, filters: int, kernel: int = 1) -> int:
        return channels * filters * kernel**2 + 2 * filters

    def c2f(channels: int, filters: int) -> int:
        half = filters // 2
        return conv(channels, filters) + 2 * conv(half, half, 3) + conv(3 * half, filters)

    neck = c2f(256 + 128, 128) + c2f(128 + 64, 64) + conv(64, 64, 3) + c2f(64 + 128, 128)
    neck += conv(128, 128, 3) + c2f(128 + 256, 256)
    head = sum(
        conv(channels, width, 3) + conv(width, width, 3) + width * maps + maps
        for channels in (64, 128, 256)
        for width, maps in ((64, 4 * 16), (80, 80))  # sides of boxes in 16 bins each, classes
    )
    bins = 16
    graph = network("yolov8n_backbone")
    assert costs(graph).totals.params + neck + head + bins == 3_157_200
    assert [graph.types()[output].shape for output in graph.outputs] == [
        ("N", 64, 80, 80),
        ("N", 128, 40, 40),
        ("N", 256, 20, 20),
    ]


FIELDS = [
    # (spec, tensor, size, stride, padding)
    # Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, table 1
    ("vgg16", "stage5", 212, 32, 90),
    ("mobilenet_v1", "separable_9", 315, 32, 126),
    # 1 + 6 + 2·4 + Σ over stages; strides on the 3 x 3 convolution of each stage's first unit
    ("resnet50", "stage_4", 427, 32, 213),
    ("resnet18", "stage", 435, 32, 217),
    ("resnet101", "stage_4", 971, 32, 485),
    ("resnet152", "stage_4", 1451, 32, 725),
    # the table of Araujo et al. in full (RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field), TF-slim's networks
    ("inception_v3", "mixed_5", 127, 8, 50),
    ("inception_v3", "mixed_6a", 159, 16, 58),
    ("inception_v3", "mixed_6", 927, 16, 442),
    ("inception_v3", "mixed_7a", 1055, 32, 490),
    ("inception_v3", "mixed_7", 1311, 32, 618),
    # the same, alexnet_v2: padding 64, where the first convolution is not padded; here it is, by 2
    ("alexnet", "features", 195, 32, 64 + 2),
    # 1 + Σ (kernel - 1)·(stride so far) along the longest path; padding likewise
    ("squeezenet1_1", "features", 3 + 2 * 2 + 2 * 8 + 2 * 4 + 2 * 16 + 2 * 8 + 4 * 32, 16, 2 * 4 + 2 * 8 + 4 * 16),
    ("googlenet", "features", 11 + 8 + 8 + 2 * 16 + 16 + 5 * 32 + 16 + 2 * 64, 32, 3 + 4 + 2 * 8 + 5 * 16 + 2 * 32),
    ("densenet121", "features", 11 + 6 * 8 + 4 + 12 * 16 + 8 + 24 * 32 + 16 + 16 * 64, 32, 5 + 24 + 96 + 384 + 512),
    ("shufflenet_v2_x1_0", "features", 7 + 2 * 4 + 8 * 8 + 15 * 16 + 3 * 64 + 16, 32, 3 + 4 + 32 + 120 + 96 + 8),
    ("yolov8n_backbone", "p3", 3 + 4 + 4 * 4 + 8 + 4 * 16, 8, 1 + 2 + 8 + 4 + 32),
    ("yolov8n_backbone", "p4", 95 + 16 + 4 * 32, 16, 47 + 8 + 64),
    ("yolov8n_backbone", "p5", 239 + 32 + 2 * 64 + 3 * 128, 32, 119 + 16 + 64 + 192),
    # 3 stages halve; 7 x 7 windows at strides 4, 8, 16, 32
    (
        "convnext_tiny",
        "stage_4",
        4 + 18 * 4 + 4 + 18 * 8 + 8 + 54 * 16 + 16 + 18 * 32,
        32,
        9 * 4 + 9 * 8 + 27 * 16 + 9 * 32,
    ),
    # where dilation takes the place of strides, the field is that of resnet50
    ("deeplabv3_resnet50", "features", 427, 8, 213),
    # a third of a pixel from one output to the next; (5 + 3 + 3 - 2) pixels of the small image
    ("espcn", "enlarged", 9, Fraction(1, 3), 4),
    # Dong et al. 2015: each output pixel draws on (9 + 5 - 1)² = 169 pixels
    ("srcnn", "reconstruction", 13, 1, 0),
    # Bai et al. 2018, section 3.2: 1 + 2·(k - 1)·(2^levels - 1)
    ("tcn", "conv", 3061, 1, 3060),
    # van den Oord et al. 2016, section 2.1: 1,024 samples for each stack of dilations 1 to 512
    ("wavenet", "softmax", 1 + 3 * 1023, 1, 3 * 1023),
    # Chen et al. 2017: 3 taps 18 pixels apart
    ("aspp", "concat", 37, 1, 18),
]


@pytest.mark.parametrize(("name", "tensor", "size", "stride", "padding"), FIELDS)
def test_receptive_fields(name: str, tensor: str, size: int, stride: int | Fraction, padding: int) -> None:
    graph = network(name)
    found = receptive_fields(graph)
    nearest = tensor if tensor in found else last_of(graph, tensor)
    for reach in found[nearest][graph.inputs[0][0]]:
        assert (reach.size(), reach.stride(), reach.padding()) == (size, stride, padding)


@pytest.mark.parametrize(("pixels", "padding"), [(224, 126), (321, 157)])
def test_same_pads_by_the_size_of_the_image(pixels: int, padding: int) -> None:
    """RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field, mobilenet_v1: padding 126, and 157 where sizes are odd."""
    graph = resolve(read(SPECS / "mobilenet_v1.yaml"), {"x": (1, 3, pixels, pixels)})
    for reach in receptive_fields(graph)[last_of(graph, "separable_9")]["x"]:
        assert (reach.size(), reach.stride(), reach.padding()) == (315, 32, padding)


SLIM_TABLE = [
    # (pixels, receptive field, stride and padding of block1 to block4, floating-point operations in billions)
    # RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field, resnet_v1_50
    (224, [(35, 8, 15), (99, 16, 47), (291, 32, 143), (483, 32, 239)], 6.963),
    (321, [(35, 8, 17), (99, 16, 49), (291, 32, 145), (483, 32, 241)], 15.629),
]


@pytest.mark.parametrize(("pixels", "fields", "giga_operations"), SLIM_TABLE)
def test_slim_table(pixels: int, fields: list[tuple[int, int, int]], giga_operations: float) -> None:
    """The table counts a multiply-add as two operations, a pixel compared by a pool as one, and stops before the classes."""
    graph = resolve(read(SPECS / "resnet_v1_50_slim.yaml"), {"x": (1, 3, pixels, pixels)})
    found = receptive_fields(graph)
    for stage, expected in zip(["stage", "stage_2", "stage_3", "stage_4"], fields, strict=True):
        for reach in found[last_of(graph, stage)]["x"]:
            assert (reach.size(), reach.stride(), reach.padding()) == expected
    macs = costs(graph).totals.macs
    assert macs is not None
    pools = [(64, 4, 3), (256, 8, 1), (512, 16, 1), (1024, 32, 1)]  # channels, stride of the output, kernel
    compared = sum(channels * (-(-pixels // stride)) ** 2 * kernel**2 for channels, stride, kernel in pools)
    assert round((2 * (macs - 2048 * 1000) + compared) / 1e9, 3) == giga_operations


@pytest.mark.parametrize("taps", [2, 3, 7])
@pytest.mark.parametrize("stacks", [1, 2, 3])
@pytest.mark.parametrize("dilations", [[1, 2, 4, 8], [1, 2, 4, 8, 16, 32, 64], [1, 3, 9]])
def test_keras_tcn(taps: int, stacks: int, dilations: list[int]) -> None:
    """README of philipperemy/keras-tcn: 1 + 2·(kernel - 1)·stacks·Σ dilations, two causal convolutions in a residual block."""
    conv = {"conv": {"filters": 4, "kernel": taps, "dilation": "d", "pad": "causal"}}
    block = [{"add": [[conv, "relu", conv, "relu"], []]}]
    layers = [{"layers": [{"layers": block, "repeat": {"d": dilations}}], "repeat": stacks}]
    graph = resolve(read({"inputs": {"x": "float32[N, 4, 4096]"}, "layers": layers}))
    (reach,) = receptive_fields(graph)[graph.outputs[0]]["x"]
    size = 1 + 2 * (taps - 1) * stacks * sum(dilations)
    assert (reach.size(), reach.stride(), reach.padding()) == (size, 1, size - 1)


def test_field_of_r3d_18() -> None:
    """The stem keeps all frames, so that time is strided half as much as height and width."""
    graph = network("r3d_18")
    reaches = receptive_fields(graph)[last_of(graph, "stage")]["x"]
    time = 3 + 4 * 2 + (2 + 3 * 4) + (4 + 3 * 8) + (8 + 3 * 16)
    space = 7 + 4 * 4 + (4 + 3 * 8) + (8 + 3 * 16) + (16 + 3 * 32)
    assert [reach.size() for reach in reaches] == [time, space, space]
    assert [reach.stride() for reach in reaches] == [8, 16, 16]
    assert [reach.padding() for reach in reaches] == [time // 2, space // 2, space // 2]


def last_of(graph: Graph, block: str) -> str:
    """The tensor of a block: that of its last layer."""
    return [node.output for node in graph.nodes if node.output.startswith(f"{block}.")][-1]


def test_dilation_leaves_holes() -> None:
    """The pyramid's widest branch sees 3 of 37 pixels along an axis, all branches together 7."""
    graph = network("aspp")
    found = receptive_fields(graph)
    widest = found["atrous_4.relu"]["features"][0]
    assert (widest.size(), widest.samples()) == (37, 3)
    assert found["concat"]["features"][0].samples() == 7


SHAPES = [
    ("quickstart", ("N", 10)),
    ("lenet5", ("N", 10)),
    ("resnet50", ("N", 1000)),
    ("c3d", ("N", 487)),
    ("unet", ("N", 2, 256, 256)),
    ("aspp", ("N", 256, 33, 33)),
    ("tcn", ("N", 10, 784)),
    ("squeezenet1_1", ("N", 1000)),
    ("r3d_18", ("N", 400)),
    # Dong et al. 2015: sub-images of 33 x 33 pixels give 21 x 21
    ("srcnn", ("N", 1, 21, 21)),
    # Shi et al. 2016: sub-images of 17 r x 17 r pixels from 17 x 17
    ("espcn", ("N", 1, 51, 51)),
]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_output_shapes(name: str, shape: tuple[int | str, ...]) -> None:
    graph = network(name)
    assert [graph.types()[output].shape for output in graph.outputs] == [shape]


MAPS = [
    # (spec, tensor, channels, height): the sizes that torchvision's layers have, ceil_mode pools included
    ("alexnet", "features", 256, 6),
    ("squeezenet1_1", "features", 512, 13),
    ("googlenet", "max_pool_2", 192, 28),
    ("googlenet", "features", 1024, 7),
    ("densenet121", "features", 1024, 7),
    # Szegedy et al. 2015, table 1
    ("inception_v3", "max_pool_2", 192, 35),
    ("inception_v3", "mixed_5", 288, 35),
    ("inception_v3", "mixed_6", 768, 17),
    ("inception_v3", "mixed_7", 2048, 8),
]


@pytest.mark.parametrize(("name", "tensor", "channels", "height"), MAPS)
def test_sizes_of_maps(name: str, tensor: str, channels: int, height: int) -> None:
    graph = network(name)
    types = graph.types()
    nearest = tensor if tensor in types else last_of(graph, tensor)
    assert types[nearest].shape == ("N", channels, height, height)


@pytest.mark.parametrize("name", NAMES)
def test_every_spec_is_a_valid_model(name: str) -> None:
    model = onnx.load_from_string(to_bytes(network(name), seeded(), EmitOptions(weights_as="inputs")))
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(
    "name", sorted(set(NAMES) - {"aspp", "espcn", "quickstart", "srcnn", "wavenet", "yolov8n_backbone"})
)
def test_the_number_of_classes_can_be_set(name: str) -> None:
    graph = network(name, classes=7)
    assert [graph.types()[output].shape[:2] for output in graph.outputs] == [("N", 7)]


@pytest.mark.parametrize("name", NAMES)
def test_every_spec_resolves_to_the_same_graph_each_time(name: str) -> None:
    graph = network(name)
    assert graph == network(name)
    assert graph.digest() == network(name).digest()
    assert graph.name == name


def test_specs_are_short() -> None:
    lines = {name: len((SPECS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()) for name in NAMES}
    assert len(lines) == 30
    assert max(lines.values()) <= 75
    assert lines["resnet50"] <= 50
    assert lines["mobilenet_v2"] <= 30


@pytest.mark.parametrize("name", NAMES)
def test_specs_name_the_editors_schema(name: str) -> None:
    first = (SPECS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")


def test_the_quickstart_keeps_its_word() -> None:
    """The numbers in its comments."""
    graph = network("quickstart")
    types, layers = graph.types(), costs(graph).layers
    assert types["features"].shape == ("N", 8, 14, 14)
    assert layers["features"].params == 8 * (4 * 3 * 3 + 1) == 296
    assert [reach.size() for reach in receptive_fields(graph)["deeper"]["x"]] == [5, 5]
    assert types["deeper"].spatial == (14, 14)
    assert types["halved"].spatial == (7, 7)
    channels = {"summed": 1, "per_channel": 16, "groups": 8, "groups_summed": 8, "groups_tied": 8}
    assert {name: types[name].shape[1] for name in channels} == channels
    weights = {name: layers[name].params - count for name, count in channels.items()}
    assert weights["groups_summed"] == 4 * weights["groups"]
    assert weights["groups"] == 4 * weights["groups_tied"]
