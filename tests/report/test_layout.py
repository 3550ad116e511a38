"""Documents laid out: text, CSV, Markdown, HTML and JSON, against texts that were looked at."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report.documents import ODD, PLAIN, SIGNAL, check, verification

import onnxconv.report.text  # the room, whatever the package's door of the same name
from onnxconv.report import FORMATS, Report, doctor_text, runtimes_text, verification_text
from onnxconv.report.table import Column, fitting, lines, shortened

GOLDEN = Path(__file__).parent / "golden"
ROOM = Path(__file__).parents[2] / "onnxconv" / "report"

DIVERGENCE = {
    "layer": "stage1.0.conv2",
    "op": "Conv",
    "index": [0, 12, 3, 4],
    "got": 1.5,
    "expected": 1.25,
    "bound": 0.0,
    "tensor": "stage1.0.conv2",
    "shape": [1, 64, 56, 56],
    "reads": {"stage1.0.relu": [[2, 4], [3, 5]]},
    "sees": {"x": [[0, 27], [0, 31]], "mask": [[3, 3], [4, 4]]},
    "error_map": "maps/small-python_bad.py-exact-stage1.0.conv2.png",
}
TOLD = [
    {
        "layer": "relu1",
        "op": "Relu",
        "of": "NaN",
        "holds": False,
        "elements": 7,
        "deviating": 7,
        "says": "NaN lost, became 0",
    },
    {
        "layer": "relu2",
        "op": "Relu",
        "of": "NaN",
        "holds": False,
        "elements": 5,
        "deviating": 4,
        "says": "NaN lost, became 0",
    },
    {"layer": "relu1", "op": "Relu", "of": "+Inf", "holds": True, "elements": 7, "deviating": 0},
    {"layer": "conv", "op": "Conv", "of": "NaN", "holds": True, "elements": 63, "deviating": 0},
    {
        "layer": "conv",
        "op": "Conv",
        "of": "subnormal",
        "holds": False,
        "elements": 63,
        "deviating": 60,
        "says": "subnormal number flushed to 0",
    },
]
MIXED = verification(
    check(),
    check(
        probe="determinism",
        capabilities=[{"of": "threads", "holds": None, "elements": 0, "deviating": 0, "says": "no"}],
    ),
    check(probe="special", capabilities=TOLD),
    check(probe="bound", bound_used=0.034211, note="float32, any order of summation"),
    check("untrusted", probe="shape", elements=0, reason="nothing was compared"),
    check(
        "fail",
        runtime="python:bad.py",
        version="",
        placement={},
        mismatches=17,
        max_error=0.25,
        bound_used="inf",
        first_divergence=DIVERGENCE,
        reason="17 of 1000 elements differ where all must be equal",
    ),
    check(
        "not_run", runtime="onnxruntime:cuda", version="", placement={}, elements=0, reason="there is no CUDA device"
    ),
    check(probe="routing", coverage={"filters": 0.981, "taps": 0.5}, unplaced=["fc"]),
    verdict="fail",
)
MATRIX = verification(
    *(check(runtime=f"onnxruntime:cpu,threads={threads},optimization=extended") for threads in (1, 2))
)
RUNTIMES = [
    {"name": "numpy", "available": True, "version": "2.4.6", "reason": None, "fix": None},
    {
        "name": "onnxruntime:cuda",
        "available": False,
        "version": None,
        "reason": "no such provider",
        "fix": "pip install it",
    },
]
FINDINGS = [
    {"subject": "numpy", "state": "ok", "found": "2.4.6", "fix": ""},
    {
        "subject": "safetensors",
        "state": "note",
        "found": "No module named 'safetensors'",
        "fix": "pip install safetensors",
    },
    {"subject": "packages", "state": "problem", "found": "two of one kind " * 9, "fix": "uninstall one"},
]

CASES = {
    **{
        f"{name}_{width}.txt": Report(d).render(width=width)
        for name, d in (("plain", PLAIN), ("odd", ODD), ("signal", SIGNAL))
        for width in (80, 100, 140)
    },
    **{f"odd.{format}": Report(ODD).render(format) for format in FORMATS if format != "text"},
    **{f"signal.{format}": Report(SIGNAL).render(format) for format in FORMATS if format != "text"},
    "verification_100.txt": verification_text(MIXED, 100),
    "verification_80.txt": verification_text(MIXED, 80),
    "matrix_80.txt": verification_text(MATRIX, 80),
    "passed.txt": verification_text(verification(check())),
    "runtimes.txt": runtimes_text(RUNTIMES),
    "doctor.txt": doctor_text(FINDINGS),
}


@pytest.mark.parametrize("name", CASES)
def test_layouts_are_those_that_were_looked_at(name: str) -> None:
    """Set ONNXCONV_WRITE_GOLDEN=1 to write them anew, and look at them again."""
    if os.environ.get("ONNXCONV_WRITE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(CASES[name], encoding="utf-8")
    assert CASES[name] == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
@pytest.mark.parametrize("report", [PLAIN, SIGNAL], ids=["plain", "signal"])
def test_text_fits(report: dict[str, Any], width: int) -> None:
    assert max(map(len, Report(report).render(width=width).splitlines())) <= width


def test_columns_that_do_not_fit_are_named() -> None:
    assert "not shown at 80 columns: window, padding" in Report(PLAIN).render(width=80)
    assert "not shown" not in Report(PLAIN).render(width=120)


def test_a_text_in_colours_is_the_same_text() -> None:
    coloured = Report(ODD).render(style=lambda text, role: f"\0{role}\1{text}\2")
    plain = "".join(part.split("\1")[-1] for part in coloured.replace("\2", "").split("\0"))
    assert plain == Report(ODD).render()
    assert coloured != plain


def test_csv_has_a_row_a_layer_and_exact_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(Report(PLAIN).render("csv"))))
    assert [row["name"] for row in rows] == [layer["name"] for layer in PLAIN["layers"]]
    assert sum(int(row["params"]) for row in rows) == PLAIN["totals"]["params"]
    assert rows[0]["window_pad"] == "3:3 3:3"
    assert rows[0]["field_size_x"] == "7 7"
    assert rows[-1]["field_size_x"] == ""
    assert rows[0]["output_shape"] == "N 64 112 112"


def test_csv_leaves_out_what_is_unknown() -> None:
    rows = list(csv.DictReader(io.StringIO(Report(ODD).render("csv"))))
    assert rows[0]["macs"] == ""
    assert rows[2]["field_stride_right"] == "? 1/2"
    assert rows[2]["field_aligned_right"] == "false"


def test_json_is_the_document() -> None:
    assert json.loads(Report(ODD).render("json")) == ODD
    assert Report(ODD).render("json").isascii()


def test_markdown_survives_pipes_and_angle_brackets() -> None:
    text = Report(ODD).render("markdown")
    table = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(ODD["layers"])
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "\\<sum\\>" in text


def test_html_is_well_formed_and_needs_nothing_else() -> None:
    hostile = {**PLAIN, "name": "<script>alert(1)</script>"}
    page = Report(hostile).render("html")
    assert "<script" not in page
    assert "http" not in page
    open_tags: list[str] = []

    class Nesting(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Nesting().feed(page)
    assert not open_tags
    assert page.count("<tr>") == 1 + len(PLAIN["layers"])


def test_a_notebook_sees_a_table_and_a_shell_sees_text() -> None:
    report = Report(PLAIN)
    assert report._repr_html_().startswith("<h1>small</h1>")
    assert "<style>" not in report._repr_html_()
    assert report._repr_html_() in report.render("html")
    assert repr(report) == str(report) == report.render().rstrip("\n")


@pytest.mark.parametrize("module", ["cells.py", "data.py", "section.py", "page.py", "verification.py", "here.py"])
def test_renderers_compute_nothing(module: str) -> None:
    """No arithmetic on values: no operators but the joining of text and of lists, no sums."""
    tree = ast.parse((ROOM / module).read_text(encoding="utf-8"))
    forbidden = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
    assert not [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, forbidden)
    ]
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"sum", "round", "int", "divmod", "abs"}


def test_a_table_drops_and_cuts() -> None:
    columns = [
        Column("name", ("a" * 40, "b"), elastic=True),
        Column("value", ("1", "22"), numeric=True),
        Column("less", ("x" * 30, "y"), rank=1),
        Column("least", ("x" * 30, "y"), rank=2),
    ]
    assert [c.heading for c in fitting(columns, 200)] == ["name", "value", "less", "least"]
    assert [c.heading for c in fitting(columns, 80)] == ["name", "value", "less"]
    assert [c.heading for c in fitting(columns, 40)] == ["name", "value"]
    assert max(map(len, lines(fitting(columns, 40)))) <= 40
    assert lines(fitting(columns, 40))[-1].endswith(" 22")


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 9, "short"),
        ("stage1.0.conv2", 14, "stage1.0.conv2"),
        ("stage1.0.conv2", 9, "st….conv2"),
        ("abcdef", 4, "…def"),
    ],
)
def test_a_long_name_keeps_its_beginning_and_its_end(text: str, width: int, expected: str) -> None:
    assert shortened(text, width) == expected
    assert len(shortened(text, width)) <= width


def test_the_room_is_importable_beside_the_door() -> None:
    assert onnxconv.report.__module__ == "onnxconv.network"
