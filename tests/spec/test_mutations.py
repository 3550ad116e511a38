"""Specs with random damage are read or refused, and nothing else."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from onnxconv.errors import Diagnostic, SpecError
from onnxconv.spec import parse, read

GOOD = sorted((Path(__file__).parent / "good").glob("*.yaml"))
PIECES = [
    *(
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "*",
        "&a ",
        "!t ",
        "? ",
        "| ",
        "> ",
        "'",
        '"',
        "#",
        "%",
        "@",
        "\t",
        "\n",
        "  ",
        ",",
    ),
    *(
        "\0",
        "é",
        "\u2028",
        "\ud800",
        "---\n",
        "...\n",
        "<<: ",
        "null",
        "~",
        "true",
        "no",
        "0",
        "-1",
        "1e9",
        ".inf",
        ".nan",
    ),
    *(
        "2 ** 63",
        "9" * 25,
        "1:30",
        "0777",
        "1_0",
        "x",
        "previous",
        "repeat: 100000",
        "when: 0",
        "from: x",
        "name: conv",
    ),
    *(
        "layers:",
        "blocks:",
        "outputs: []",
        "conv:",
        "add:",
        "relu",
        "i",
        "kernel",
        "same",
        "w.*",
        "0x1F",
        "(",
        ")",
        "//",
    ),
]


def damaged(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        match rng.randrange(6):
            case 0:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + rng.randint(1, 8) :]
            case 2:
                text = text[:at] + rng.choice(PIECES) + text[at + rng.randint(1, 6) :]
            case 3:
                lines = text.split("\n")
                lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
                text = "\n".join(lines)
            case 4:
                text = text[:at] + text[at : min(end, at + 60)] + text[at:]
            case _:
                lines = text.split("\n")
                i = rng.randrange(len(lines))
                lines[i] = " " * rng.randint(0, 8) + lines[i].lstrip()
                text = "\n".join(lines)
    return text


def survives(seed: int) -> bool:
    """Whether the damaged spec is still one. SpecError is the only error that there may be."""
    rng = random.Random(seed)
    text = damaged(rng.choice(GOOD).read_text("utf-8"), rng)
    spec, mistakes = None, tuple[Diagnostic, ...]()
    try:
        spec = parse(text, rng.choice(["a.yaml", "a.json"]))
    except SpecError as error:
        mistakes = error.diagnostics
    assert all(mistake.what and mistake.fix for mistake in mistakes)
    if spec is None:
        return False
    known = {one.name for one in spec.inputs}
    for layer in spec.layers:
        assert layer.inputs
        assert known.issuperset(layer.inputs)
        known.add(layer.name)
    assert len(known) == len(spec.inputs) + len(spec.layers)
    assert known.issuperset(spec.outputs)
    assert spec.outputs
    return True


def test_some_are_read_and_some_are_refused() -> None:
    read_at_all = sum(survives(seed) for seed in range(150))
    assert 0 < read_at_all < 150


@pytest.mark.slow
def test_many() -> None:
    for seed in range(150, 3000):
        survives(seed)


def _replaced(value: object, rng: random.Random) -> object:
    """The value with one part of it, at random, replaced by something out of place."""
    wrong: list[object] = [
        None,
        True,
        -1,
        0,
        2.5,
        10**30,
        float("nan"),
        "",
        "x",
        "same",
        [],
        {},
        [[]],
        {"a": 1},
        {1},
        b"x",
    ]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        return {**value, key: _replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], _replaced(value[at], rng), *value[at + 1 :]]
    return rng.choice(wrong)


def test_python_values_out_of_place() -> None:
    from ruamel.yaml import YAML

    rng = random.Random(1)
    data = [YAML(typ="safe", pure=True).load(path) for path in GOOD]
    for _ in range(100):
        value = _replaced(rng.choice(data), rng)
        with contextlib.suppress(SpecError):
            read(value if isinstance(value, dict) else {"layers": value})
