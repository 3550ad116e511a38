"""Plain scalars: the core schema of YAML 1.2, and what YAML 1.1 read otherwise."""

from __future__ import annotations

import math

import pytest

from onnxconv.spec.scalar import resolve, surprise


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        (".", "."),
        ("1e", "1e"),
        ("-.inf", -math.inf),
        ("3 * n", "3 * n"),
        ("y", "y"),
        ("2001-12-14", "2001-12-14"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_nan() -> None:
    assert math.isnan(float(str(resolve(".NaN"))))


@pytest.mark.parametrize(
    "text", ["yes", "No", "ON", "off", "0777", "-012", "089", "1_000", "0x_f", "1:30", "1:30:59.5", "0b1"]
)
def test_surprises(text: str) -> None:
    found = surprise(text)
    assert found is not None
    assert text in found.rule


@pytest.mark.parametrize(
    "text", ["yEs", "noon", "0", "07a", "_1", "a_1", "1:75", "a:30", "1", "0o7", "0b2", "1.5", "true"]
)
def test_no_surprises(text: str) -> None:
    assert surprise(text) is None
