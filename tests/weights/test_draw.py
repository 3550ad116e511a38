"""Drawn weights are a function of seed, name and position alone, and have the distributions that they are named after."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from oracles import philox

from onnxconv.errors import WeightsError
from onnxconv.graph import Initial, Param
from onnxconv.weights import KINDS, seeded
from onnxconv.weights.draw import draw

SHAPE = (6, 3, 5, 4)


def param(kind: str, shape: tuple[int, ...] = SHAPE, dtype: str = "float32", name: str = "w", **more: object) -> Param:
    values = {"constant": (0.1,), "uniform": (-2.0, 5.0), "normal": (1.0, 0.5), "integers": (-3.0, 3.0)}.get(kind, ())
    initial = Initial(name, shape, kind, **{"values": values, "fan": (60, 120), **more})  # type: ignore[arg-type]
    return Param(name, dtype, shape, initial)


def digest(array: np.ndarray) -> str:
    assert array.dtype.byteorder in "=|<"
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


GOLDEN: dict[str, str] = {
    "he_normal float16": "eda9486645ca2666",
    "he_normal float32": "401a826273c5f1eb",
    "he_normal float64": "c40f5cfa97dc55be",
    "he_uniform float16": "a8f9c300f8c25d7a",
    "he_uniform float32": "a0ab0072bc021311",
    "he_uniform float64": "8811e99e2395212d",
    "xavier_normal float16": "5b9319cd3f5e1358",
    "xavier_normal float32": "48759a726b9d4ede",
    "xavier_normal float64": "eccb696f04c71d13",
    "xavier_uniform float16": "2b6048a178ae74c3",
    "xavier_uniform float32": "e0f9f281ad7e6c0a",
    "xavier_uniform float64": "b8684c4313d380cb",
    "uniform float16": "4a0833b58f3c4cf0",
    "uniform float32": "4205a174f67220ab",
    "uniform float64": "101791c37f51a30a",
    "normal float16": "b8076ef6c158ca14",
    "normal float32": "345deae18d0523fc",
    "normal float64": "f951480ead7350d7",
    "constant float16": "e66af7b10aa85158",
    "constant float32": "90187b381f3caeba",
    "constant float64": "8bfa9f2c7d286771",
    "zeros float16": "fe2f74a1e0b16a66",
    "zeros float32": "52dbd4365b026555",
    "zeros float64": "39a68c2004ed4a20",
    "ones float16": "4a0a6902ba6f923c",
    "ones float32": "724b49484d64642b",
    "ones float64": "a7af97e6322988c6",
    "ramp float16": "d12fcee75ef660a1",
    "ramp float32": "3b28c5832d068e6d",
    "ramp float64": "88fa73b2a475172f",
    "identity float16": "71c8a634c9bb57ce",
    "identity float32": "4befca435bb28428",
    "identity float64": "6df34c7f1c415357",
    "integers float16": "0005d7ba219c0ac5",
    "integers float32": "b903352253ba4611",
    "integers float64": "013371ecbcbc1684",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_golden(kind: str, dtype: str) -> None:
    """These change never: a seed is a promise."""
    assert digest(seeded(3)[param(kind, dtype=dtype)]) == GOLDEN[f"{kind} {dtype}"]


def words(seed: int, name: str, count: int) -> list[int]:
    """The documented stream, from plain integers: the key is the start of a hash, the first counter is 1."""
    key = int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode()).digest()[:16], "little")
    return [word for counter in range(1, count // 4 + 2) for word in philox.block(counter, key)][:count]


def test_uniform_numbers_from_first_principles() -> None:
    expected = [(word >> 11) * 2.0**-53 * 7.0 - 2.0 for word in words(5, "conv.weight", 11)]
    assert seeded(5)[param("uniform", (11,), "float64", "conv.weight")].tolist() == expected


def test_normal_numbers_from_first_principles() -> None:
    stream = words(5, "conv.weight", 22)
    lanes = [
        sum(word >> shift & 0xFFFF for word in stream[2 * i : 2 * i + 2] for shift in (0, 16, 32, 48))
        for i in range(11)
    ]
    scale = 0.5 / math.sqrt(8 * (2**32 - 1) / 12)
    expected = [(lane - 4 * 65535) * scale + 1.0 for lane in lanes]
    assert seeded(5)[param("normal", (11,), "float64", "conv.weight")].tolist() == expected


def plain(initial: Initial, seed: int, start: int, stop: int) -> np.ndarray:
    """Elements of a random kind, one word after the other and one operation after the other, in float64."""
    key = int.from_bytes(hashlib.sha256(f"{seed}\n{initial.name}".encode()).digest()[:16], "little")
    first, second = initial.values
    if initial.kind == "normal":
        stream = np.random.Philox(key=key).random_raw(2 * stop)[2 * start :]
        lanes = np.stack([stream >> np.uint64(shift) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)])
        sums = lanes.astype(np.float64).sum(axis=0).reshape(-1, 2).sum(axis=1)
        return (sums - 4 * 65535) * (second / math.sqrt(8 * (2**32 - 1) / 12)) + first
    stream = np.random.Philox(key=key).random_raw(stop)[start:]
    if initial.kind == "uniform":
        return (stream // np.uint64(2**11)).astype(np.float64) / 2.0**53 * (second - first) + first
    return np.array([(int(word) >> 32) * int(second - first + 1) // 2**32 + first for word in stream])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("normal", (0.0, 0.011)),
        ("normal", (-2.5, 3.0)),
        ("uniform", (-0.3, 0.7)),
        ("integers", (-7.0, 2.0**31)),
        ("integers", (0.0, 2.0**32 - 1)),
    ],
)
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (3, 4), (1, 70_000), (65_534, 65_539), (69_999, 70_003)])
def test_ranges_are_those_of_a_plain_sum(kind: str, values: tuple[float, float], start: int, stop: int) -> None:
    initial = Initial("conv.weight", (80_000,), kind, values)
    expected = plain(initial, 5, start, stop)
    assert draw(initial, 5, start, stop).tobytes() == expected.tobytes()
    with np.errstate(over="ignore"):
        for dtype in ("float32", "float16") if kind != "integers" else ("float32",):
            made = seeded(5)[Param("w", dtype, initial.shape, initial)][start:stop]
            assert made.tobytes() == expected.astype(dtype).tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("elements", [1, 2, 3, 7, 64, 359, 360, 10_000])
def test_chunks_of_any_size_are_the_whole(kind: str, elements: int) -> None:
    weights = seeded(1)
    for dtype in ("float16", "float32"):
        made = weights[param(kind, dtype=dtype)]
        assert made.shape == SHAPE
        assert b"".join(weights.chunks(param(kind, dtype=dtype), elements)) == made.tobytes()


def test_wholes_longer_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = seeded()[param("he_normal")]
    monkeypatch.setattr("onnxconv.weights.CHUNK", 7)
    np.testing.assert_array_equal(seeded()[param("he_normal")], expected)


@pytest.mark.parametrize("kind", ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform", "uniform", "normal"])
def test_mean_variance_and_independence(kind: str) -> None:
    """Within 5 standard errors of what the distribution says, over 10⁵ numbers; other names and seeds differ."""
    n = 100_000
    moments = {
        "he_normal": (0.0, 2 / 60),
        "he_uniform": (0.0, 2 / 60),
        "xavier_normal": (0.0, 2 / 180),
        "xavier_uniform": (0.0, 2 / 180),
        "uniform": (1.5, 49 / 12),
        "normal": (1.0, 0.25),
    }
    mean, variance = moments[kind]
    drawn = seeded()[param(kind, (n,), "float64")]
    assert abs(drawn.mean() - mean) < 5 * math.sqrt(variance / n)
    assert abs(drawn.var() / variance - 1) < 5 * math.sqrt(2 / n)
    for other in (
        seeded(1)[param(kind, (n,), "float64")],
        seeded()[param(kind, (n,), "float64", "v")],
        np.roll(drawn, 1),
    ):
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 5 / math.sqrt(n)


def test_bounds() -> None:
    assert abs(seeded()[param("he_uniform", (100_000,))]).max() <= math.sqrt(6 / 60)
    assert abs(seeded()[param("xavier_uniform", (100_000,))]).max() <= math.sqrt(6 / 180)
    drawn = seeded()[param("integers", (10_000,))]
    assert sorted(set(drawn.tolist())) == [-3, -2, -1, 0, 1, 2, 3]


def test_exact_kinds() -> None:
    assert (seeded()[param("zeros")] == 0).all()
    assert (seeded()[param("ones")] == 1).all()
    assert (seeded()[param("constant")] == np.float32(0.1)).all()
    np.testing.assert_array_equal(seeded()[param("ramp", (2, 3), "float64")].reshape(-1), [0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert seeded()[param("ramp", (1,))].tolist() == [0]
    np.testing.assert_array_equal(seeded()[param("ramp", (3,), values=(-1.0, 1.0))], [-1, 0, 1])


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_an_identity_kernel_hands_every_channel_on(groups: int, size: int) -> None:
    w = seeded()[param("identity", (4, 4 // groups, size, size), "float64")]
    x = np.random.default_rng(0).random((4, 5, 5))
    before = (size - 1) // 2
    padded = np.pad(x, ((0, 0), (before, size - 1 - before), (before, size - 1 - before)))
    for m in range(4):
        first = m // (4 // groups) * (4 // groups)
        windows = np.lib.stride_tricks.sliding_window_view(padded[first : first + 4 // groups], (size, size), (1, 2))
        np.testing.assert_array_equal(np.einsum("chwij,cij->hw", windows, w[m]), x[m])


@pytest.mark.parametrize(
    ("kind", "shape", "values", "said"),
    [
        ("he_norml", (2,), (), "did you mean 'he_normal'?"),
        ("identity", (2,), (), "use zeros"),
        ("constant", (2,), (), "give it one number"),
        ("uniform", (2,), (1.0,), "uniform takes two numbers"),
        ("integers", (2,), (0.5, 2.0), "write two whole numbers"),
        ("integers", (2,), (3.0, 2.0), "write two whole numbers"),
    ],
)
def test_rejects(kind: str, shape: tuple[int, ...], values: tuple[float, ...], said: str) -> None:
    with pytest.raises(WeightsError) as caught:
        seeded()[Param("w", "float32", shape, Initial("w", shape, kind, values))]
    assert said in str(caught.value)


def test_a_number_beyond_the_data_type_is_refused() -> None:
    with pytest.raises(WeightsError, match="weight-range"):
        seeded()[param("constant", dtype="float16", values=(70000.0,))]
