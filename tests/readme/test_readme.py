"""Every block of the README, and of the pages under docs that are written the same way, does what it shows.

`console` blocks: each line after ``$`` is run by a shell in a copy of the checkout's specs; what it prints, standard error
included, must be what stands below it, where ``...`` stands for anything. ``$ command  # exit 1`` names an exit status
other than 0. `yaml` blocks with layers are specs and are resolved; `python` blocks are run. `sh` blocks install things:
the continuous integration runs them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[object]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] == kind:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match[2], id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    return tmp_path


def environment() -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}


def matches(shown: str, printed: str) -> bool:
    """Equal, where ``...`` in what is shown stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def settled(text: str) -> str:
    """Verdicts without what another release of a runtime, or another processor, may change: versions, errors, placement."""
    if "onnxruntime:" not in text:
        return text
    text = re.sub(r"(?m)^( +(?:onnxruntime:\w+|placement) .*)$", lambda m: re.sub(r"[\d.]+(e-?\d+)?", "#", m[1]), text)
    return re.sub(r" +", " ", re.sub(r"─+", "─", text))


@pytest.mark.parametrize("block", blocks("console"))
def test_console_block(block: str, checkout: Path) -> None:
    pieces = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not pieces[0].strip(), "a console block starts with a command"
    assert len(pieces) > 1
    for piece in pieces[1:]:
        command, _, shown = piece.partition("\n")
        asked = re.search(r"\s+# exit (\d+)$", command)
        done = subprocess.run(
            command[: asked.start()] if asked else command,
            shell=True,
            cwd=checkout,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=170,
            check=False,
        )
        assert done.returncode == (int(asked[1]) if asked else 0), done.stdout
        assert matches(tidy(shown), tidy(done.stdout)), (
            f"$ {command}\nshown:\n{tidy(shown)}\nprinted:\n{tidy(done.stdout)}"
        )


@pytest.mark.parametrize("block", blocks("python"))
def test_python_block(block: str, checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=checkout,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if "layers:" in b.values[0] and "inputs:" in b.values[0]])  # type: ignore[attr-defined]
def test_spec_block(block: str) -> None:
    import onnxconv

    assert onnxconv.resolve(onnxconv.parse(block, "README.md")).nodes


def test_the_two_commands_are_what_continuous_integration_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install . && onnxconv verify specs/resnet50.yaml" in readme
    assert "onnxconv verify specs/resnet50.yaml" in script
    assert "pip install '.[test]' && pytest" in readme
    assert "pip install -q '.[test," in script
    assert re.search(r"^pytest -q$", script, re.MULTILINE)


def test_matching_can_fail() -> None:
    assert matches("a ... c", "a b c")
    assert not matches("a ... c", "a b d")
    assert not matches("a", "a b")
    assert not matches("a.c", "abc")


def test_settling_keeps_verdicts() -> None:
    row = "  onnxruntime:cpu  1.32.0   bound    y   {}  73,610      0        0.39"
    assert settled(row.format("pass")) == settled(row.format("pass").replace("1.32.0", "1.40").replace("0.39", "0.4"))
    assert settled(row.format("pass")) != settled(row.format("fail"))
    assert settled("params 296") != settled("params 297")
