"""Bad specs, each with the full text of what is said about it. ONNXCONV_GOLDEN=write renews the texts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onnxconv.errors import SpecError
from onnxconv.spec import parse

BAD = Path(__file__).parent / "bad"
SPECS = sorted(p.name for p in BAD.iterdir() if p.suffix in (".yaml", ".json"))


def test_there_are_enough_of_them() -> None:
    assert len(SPECS) >= 70


@pytest.mark.parametrize("name", SPECS)
def test_says_all_that_is_wrong(name: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse((BAD / name).read_text("utf-8"), name)
    text = str(raised.value) + "\n"
    golden = BAD / f"{name}.txt"
    if os.environ.get("ONNXCONV_GOLDEN") == "write":
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
    assert text.count("\n") >= 2, "a rule or a fix stands below what is wrong"


@pytest.mark.parametrize("name", SPECS)
def test_every_mistake_has_its_line_and_what_to_do(name: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse((BAD / name).read_text("utf-8"), name)
    for diagnostic in raised.value.diagnostics:
        assert diagnostic.where.file == name
        assert diagnostic.where.line > 0
        assert diagnostic.where.column > 0
        assert diagnostic.fix, diagnostic
