"""A folder of its own for each test of the command line, with specs in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.shell import BAD, NET, OPEN, ROOT, WRONG


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with net.yaml, open.yaml, bad.yaml and wrong.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("NO_COLOR", "COLUMNS", "TERM", "ONNXCONV_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, text in (("net.yaml", NET), ("open.yaml", OPEN), ("bad.yaml", BAD), ("wrong.py", WRONG)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path
