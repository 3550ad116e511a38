"""Parameters, multiply-adds and receptive fields of the shipped specs against published figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxconv.cost import costs
from onnxconv.graph import Graph
from onnxconv.receptive import receptive_fields
from onnxconv.resolve import resolve
from onnxconv.spec import read

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.yaml"))


def network(name: str, **parameters: int) -> Graph:
    return resolve(read(SPECS / f"{name}.yaml", parameters))


PUBLISHED = [
    # torchvision, table of classification weights: parameters, and GMAC under the name GFLOPS
    ("resnet18", 11_689_512, 1.814),
    ("resnet50", 25_557_032, 4.089),
    ("resnext50_32x4d", 25_028_904, 4.230),
    ("vgg16", 138_357_544, 15.470),
    ("mobilenet_v2", 3_504_872, 0.301),
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
]


@pytest.mark.parametrize(("name", "parameters", "params", "macs"), PUBLISHED_VARIANTS)
def test_other_numbers_of_classes(name: str, parameters: dict[str, int], params: int, macs: int | None) -> None:
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


FIELDS = [
    # (spec, tensor, size, stride, padding)
    # Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, table 1
    ("vgg16", "stage5", 212, 32, 90),
    ("mobilenet_v1", "separable_9", 315, 32, 126),
    # 1 + 6 + 2·4 + Σ over stages; strides on the 3 x 3 convolution of each stage's first unit
    ("resnet50", "stage_4", 427, 32, 213),
    ("resnet18", "stage", 435, 32, 217),
    # Bai et al. 2018, section 3.2: 1 + 2·(k - 1)·(2^levels - 1)
    ("tcn", "conv", 3061, 1, 3060),
    # Chen et al. 2017: 3 taps 18 pixels apart
    ("aspp", "concat", 37, 1, 18),
]


@pytest.mark.parametrize(("name", "tensor", "size", "stride", "padding"), FIELDS)
def test_receptive_fields(name: str, tensor: str, size: int, stride: int, padding: int) -> None:
    graph = network(name)
    found = receptive_fields(graph)
    nearest = tensor if tensor in found else last_of(graph, tensor)
    for reach in found[nearest][graph.inputs[0][0]]:
        assert (reach.size(), reach.stride(), reach.padding()) == (size, stride, padding)


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
]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_output_shapes(name: str, shape: tuple[int | str, ...]) -> None:
    graph = network(name)
    assert [graph.types()[output].shape for output in graph.outputs] == [shape]


@pytest.mark.parametrize("name", NAMES)
def test_every_spec_resolves_to_the_same_graph_each_time(name: str) -> None:
    graph = network(name)
    assert graph == network(name)
    assert graph.digest() == network(name).digest()
    assert graph.name == name


def test_specs_are_short() -> None:
    lines = {name: len((SPECS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()) for name in NAMES}
    assert len(lines) == 12
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
