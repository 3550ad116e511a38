"""The documentation of reports shows what the command prints."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from report.documents import ODD, PLAIN, SIGNAL

import onnxconv
from onnxconv.report import Report
from onnxconv.report.cells import columns
from onnxconv.report.section import sections

DOCUMENTS = {"plain": PLAIN, "odd": ODD, "signal": SIGNAL}
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "report.md"
BLOCK = re.compile(r"```console\n\$ onnxconv report (\S+)\n(.*?)```", re.DOTALL)


def test_blocks_are_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set ONNXCONV_WRITE_GOLDEN=1 to write the blocks anew."""
    monkeypatch.chdir(ROOT)
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("ONNXCONV_WRITE_GOLDEN") == "1":
        text = BLOCK.sub(lambda b: f"```console\n$ onnxconv report {b[1]}\n{onnxconv.report(b[1]).render()}```", text)
        PAGE.write_text(text, encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == 2
    for source, shown in blocks:
        assert shown == onnxconv.report(source).render()


def test_every_column_is_explained() -> None:
    explained = set(re.findall(r"^\| `([\w -]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    shown = {
        column.heading.partition(" of ")[0]
        for document in (json.loads(Report(found).render("json")) for found in DOCUMENTS.values())
        for column in [*columns(document), *(c for section in sections(document) for c in section.columns)]
    }
    assert shown == explained


def test_what_is_said_of_aspp_holds() -> None:
    layers = {entry["name"]: entry for entry in onnxconv.report(ROOT / "specs" / "aspp.yaml").document["layers"]}
    fields = [layers[name]["receptive_field"]["features"] for name in ("atrous.conv", "atrous_2.conv", "concat")]
    assert [(field["size"], field["samples"]) for field in fields] == [
        ([1, 1], [1, 1]),
        ([13, 13], [3, 3]),
        ([37, 37], [7, 7]),
    ]
