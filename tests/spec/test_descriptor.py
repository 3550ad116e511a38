"""One-line problems as oneDNN's benchdnn writes them."""

from __future__ import annotations

import pytest

from onnxconv.errors import SpecError
from onnxconv.spec import Value, read

PROBLEMS = [
    # text, input sizes, output sizes, (begin, end) pads as benchdnn derives them
    # copied from oneDNN, tests/benchdnn/inputs/conv, at 515bfba68c02; Apache-2.0
    ('g100_ic400oc400_iw18kw2sw2_n"1d_gconv_channel-block-4-strided"', (18,), (9,), ((0, 0),)),
    ('g17ic17oc17_iw8ow4kw3pw1sw2_n"conv_basic_1d:depthwise_stride_tail"', (8,), (4,), ((1, 0),)),
    ('g4ic16oc16_iw5ow5kw3pw1_n"conv_basic_1d:grouped"', (5,), (5,), ((1, 1),)),
    ('g8_ic64oc64_iw9kw2_n"1d_gconv_channel-block-8"', (9,), (8,), ((0, 0),)),
    ("ic1oc64iw100ow98kw5pw50sw2dw0", (100,), (98,), ((50, 49),)),
    ('ic25oc24_iw13ow12kw3pw0_n"tails_conv_1d:4"', (13,), (12,), ((0, 1),)),
    ('ic512oc1024_iw19ow19kw3sw1dw5pw6n"conv1d_gemm:3"', (19,), (19,), ((6, 6),)),
    ('ic8oc8_iw5ow2kw3sw1dw2pw3n"conv1d_gemm:1"', (5,), (2,), ((3, 0),)),
    ("mb1ic1oc1342177321iw27kw3", (27,), (25,), ((0, 0),)),
    ('g1000ic1000oc1000_ih10_kh3_ph1n"dw_regression:ch_tail_conv15"', (10, 10), (10, 10), ((1, 1), (1, 1))),
    ('g113mb1ic113ih1oc113oh1kh3ph1n"depthwise_channel_tail_nxc_format"', (1, 1), (1, 1), ((1, 1), (1, 1))),
    ('g128mb1ic128ih56oc128kh2sh2ph0n"dw_regression:conv16"', (56, 56), (28, 28), ((0, 0), (0, 0))),
    ('g128mb1ic128ih56oh29oc128kh4sh2ph1n"dw_regression:conv25"', (56, 56), (29, 29), ((1, 3), (1, 3))),
    ('g1ic17oc17_ih8oh5kh3ph3sh2_n"conv_basic_2d:gemm_stride_tail"', (8, 8), (5, 5), ((3, 0), (3, 0))),
    (
        'g256mb1ic256ih37iw37oc256oh37ow37kh3kw3sh1sw1ph1pw1n"xception:xception3_conv1_1"',
        (37, 37),
        (37, 37),
        ((1, 1), (1, 1)),
    ),
    (
        'g64mb1ic64ih112iw112oc64oh56ow56kh3kw3sh2sw2ph1pw1dh1dw2n"dilated_conv:42/dw"',
        (112, 112),
        (56, 56),
        ((1, 2), (1, 4)),
    ),
    ('ic27oc64_ih13oh12kh3ph0_n"tails_conv:9"', (13, 13), (12, 12), ((0, 1), (0, 1))),
    ("mb16_ic3ih224iw224_oc64_kh3kw3_sh1sw1_ph1pw1", (224, 224), (224, 224), ((1, 1), (1, 1))),
    ("mb1_ic128ih40iw175_oc256_kh5kw5_sh2sw2_ph1pw1", (40, 175), (19, 87), ((1, 0), (1, 1))),
    ('mb1_ic16oc16_ih14oh1kh1sh14dh0ph0_n"1x1_shape_with_huge_stride"', (14, 14), (1, 1), ((0, -13), (0, -13))),
    ("mb1ic16oc16_ih16kh3ph1oh15_iw16kw3pw0ow15", (16, 16), (15, 15), ((1, 0), (0, 1))),
    ('mb20ic4ih10oc6oh3kh3sh3ph2dh2n"dilated_conv:5"', (10, 10), (3, 3), ((2, 1), (2, 1))),
    ('mb20ic4ih8iw8oc6oh4ow8kh3kw3sh2sw1ph1pw1dh1dw0n"dilated_conv:11"', (8, 8), (4, 8), ((1, 2), (1, 1))),
    ('mb20ic4ih8iw8oc6oh8ow2kh3kw3sh1sw3ph1pw1dh0dw2n"dilated_conv:12"', (8, 8), (8, 2), ((1, 1), (1, 1))),
    ('mb20ic4ih8oc6oh1kh5ph1dh1n"dilated_conv:7"', (8, 8), (1, 1), ((1, 0), (1, 0))),
    ('mb20ic8ih5iw8oc8oh3ow8kh3kw3ph2pw1dh1dw0n"dilated_conv:13"', (5, 8), (3, 8), ((2, 0), (1, 1))),
    (
        'mb2_g2ic128oc128_ih21oh3kh5sh2ph0dh3_iw21ow13kw5sw1pw0dw1_n"dilated_conv:25"',
        (21, 21),
        (3, 13),
        ((0, 0), (0, 0)),
    ),
    ('mb2_g2ic192oc128_ih11oh7kh3sh1ph1dh2_n"dilated_conv:23"', (11, 11), (7, 7), ((1, 1), (1, 1))),
    ('mb2_g2ic96oc96_ih57oh26kh5sh2ph1dh1_n"dilated_conv:20"', (57, 57), (26, 26), ((1, 1), (1, 1))),
    (
        'mb2_ic3oc48_ih227oh110kh5sh2ph0dh1_iw227ow72kw5sw3pw0dw2_n"dilated_conv:19"',
        (227, 227),
        (110, 72),
        ((0, 0), (0, -1)),
    ),
    ("mb2ic16ih33oc16oh16kh2sh2", (33, 33), (16, 16), ((0, -1), (0, -1))),
    (
        'mb32ic64oc64_ih75oh75kh3sh1dh0ph1_iw75ow75kw3sw1dw0pw1n"ssd_resnet34_training:conv2*6"',
        (75, 75),
        (75, 75),
        ((1, 1), (1, 1)),
    ),
    (
        'g1ic128oc256_id16od8kd2sd2dd0pd0_ih16oh8kh2sh2dh0ph0_iw8ow4kw2sw2dw0pw0_n"vnet:conv3"',
        (16, 16, 8),
        (8, 8, 4),
        ((0, 0), (0, 0), (0, 0)),
    ),
    ('g1ic16oc16_id5od8kd3pd3_n"conv_basic_3d:gemm"', (5, 5, 5), (8, 8, 8), ((3, 2), (3, 2), (3, 2))),
    ('g1ic17oc17_id8od4kd3pd1sd2_n"conv_basic_3d:3x3_stride_tail"', (8, 8, 8), (4, 4, 4), ((1, 0), (1, 0), (1, 0))),
    ('g4ic16oc16_id5od5kd3pd1_n"conv_basic_3d:grouped"', (5, 5, 5), (5, 5, 5), ((1, 1), (1, 1), (1, 1))),
    ('g4ic20oc20_id8od4kd3pd1sd2_n"conv_basic_3d:grouped_stride_tail"', (8, 8, 8), (4, 4, 4), ((1, 0), (1, 0), (1, 0))),
    ('ic17oc17_id8od4kd1pd0sd2_n"conv_basic_3d:1x1_stride_tail"', (8, 8, 8), (4, 4, 4), ((0, -1), (0, -1), (0, -1))),
    (
        'ic47oc37_id13od11kd3pd0_ih13oh12kh3ph0_iw13ow12kw3pw0_n"tails_conv_3d:5"',
        (13, 13, 13),
        (11, 12, 12),
        ((0, 0), (0, 1), (0, 1)),
    ),
    (
        "mb1_g1ic1oc1_id4od3kd3sd2dd0pd2_ih4oh2kh5sh2dh0ph2_iw4ow1kw7sw2dw0pw2",
        (4, 4, 4),
        (3, 2, 1),
        ((2, 1), (2, 1), (2, 1)),
    ),
    ("mb1ic1oc16_kd2kh1kw1_id2ih1iw1_od1oh1ow1_sd2sh1sw1_pd1ph0pw0", (2, 1, 1), (1, 1, 1), ((1, -1), (0, 0), (0, 0))),
    (
        'mb1ic64ih62iw62id54oc128kh3kw3kd3ph0pw0pd0sh1sw1sd1n"3d_unet:conv_4"',
        (54, 62, 62),
        (52, 60, 60),
        ((0, 0), (0, 0), (0, 0)),
    ),
    (
        'mb6g16_ic128oc512_id4ih28iw28_od4oh28ow28_kd1kh1kw1_sd1sh1sw1_pd0ph0pw0_n"Resnext:conv_3d:19"',
        (4, 28, 28),
        (4, 28, 28),
        ((0, 0), (0, 0), (0, 0)),
    ),
    (
        'mb6g16_ic2048oc512_id2ih14iw14_od1oh7ow7_kd3kh3kw3_sd2sh2sw2_pd1ph1pw1_n"Resnext:conv_3d:24"',
        (2, 14, 14),
        (1, 7, 7),
        ((1, 0), (1, 0), (1, 0)),
    ),
]


def numbers(value: Value) -> tuple[int, ...]:
    return tuple(int(str(v.value)) for v in value.items() or ())


@pytest.mark.parametrize(("text", "sizes", "outs", "pads"), PROBLEMS, ids=[row[0] for row in PROBLEMS])
def test_sizes(text: str, sizes: tuple[int, ...], outs: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> None:
    spec = read(text)
    (conv,) = spec.layers
    found = [numbers(pad) for pad in conv["pad"].value]  # type: ignore[union-attr, arg-type]
    assert spec.inputs[0].shape[2:] == sizes
    assert found == [(begin, max(0, end)) for begin, end in pads]
    window = zip(sizes, numbers(conv["kernel"]), numbers(conv["stride"]), numbers(conv["dilation"]), found, strict=True)
    for (size, kernel, stride, dilation, (begin, end)), out in zip(window, outs, strict=True):
        assert (size + begin + end - dilation * (kernel - 1) - 1) // stride + 1 == out


def test_every_field() -> None:
    spec = read('g3mb4_ic6ih20iw21_oc9oh10ow7_kh3kw2_sh2sw3_ph1pw0_dh0dw1_n"net:a*2"')
    (conv,) = spec.layers
    assert (spec.name, spec.inputs[0].shape, spec.outputs) == ("net:a_2", (4, 6, 20, 21), ("conv",))
    assert (conv["group"].value, conv["filters"].value) == (3, 9)
    assert (numbers(conv["kernel"]), numbers(conv["stride"]), numbers(conv["dilation"])) == ((3, 2), (2, 3), (1, 2))


def test_left_out_means_two_images_one_group_stride_one() -> None:
    spec = read("ic3ih8oc4kh3")
    (conv,) = spec.layers
    assert spec.inputs[0].shape == (2, 3, 8, 8)
    assert (conv["group"].value, numbers(conv["stride"]), numbers(conv["kernel"])) == (1, (1, 1), (3, 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mb1ic1_iw2oc1ow1kw1sw1pw0", r"ow1 leaves out pixels of iw2.*\n.*pads are .*\n.*write ow2"),
        ("ic1ih32oc1oh6kh6sh6ph2_iw2ow1kw1sw1pw0", "ow1 leaves out"),
        ("ic1iw5oc1ow2kw1", "ow2 leaves out"),
        ("ic1iw3oc1kw5", r"ow is -1"),
        ("mb1ih3kh3", "ic is missing"),
        ("ic3oc4", "no spatial axis"),
        ("ic3oc4kh3", "ih is missing"),
        ("ic3oc4ih3", "kh is missing"),
        ("ic3oc4ih3kh3xx3", r":1:13: no field is called 'xx'"),
        ("ic3oc4ih3kh3kh5", "kh is 5, and was 3"),
        ("ic3oc4ih0kh3", "ih is 0"),
        ("ic3oc4ih3kh-3", "kh is -3"),
        ("ic3oc4ih3kh99999999999999999999999999", "kh is 9"),
        ('ic3oc4ih3kh3n"a', "is no field"),
        ("ic3oc4ih3kh3_", None),
    ],
)
def test_refusals(text: str, message: str | None) -> None:
    if message is None:
        read(text)
        return
    with pytest.raises(SpecError, match=message):
        read(text)


def test_file_names_are_no_problems() -> None:
    for name in ("ic3.yaml", "g1/net.yaml", "mb", "resnet50.yaml"):
        with pytest.raises(SpecError, match="No such file"):
            read(name)


@pytest.mark.parametrize(
    ("number", "fix"), [("0", "write 1 or more"), ("99999999999999999999", "write 1099511627776 or less")]
)
def test_a_field_out_of_range_is_told_once(number: str, fix: str) -> None:
    with pytest.raises(SpecError) as raised:
        read(f"ic3_ih{number}_oc3_kh3")
    (told,) = raised.value.diagnostics
    assert told.fix == fix
