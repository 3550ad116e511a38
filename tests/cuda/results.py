"""The document that run.py writes: what the machine is, and all records of all processes, as JSON and as a page."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from page import page

ROOT = Path(__file__).parents[2]


class Results:
    """The document, and the files of records that processes add to."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.folder, self.began = folder, time.time()
        self.document: dict[str, Any] = {
            "runtime": asked.runtime,
            "date": datetime.date.today().isoformat(),
            "command": f"python tests/cuda/run.py --runtime {asked.runtime} --seconds {asked.seconds:g}",
            "machine": machine(asked.runtime),
            "stages": {},
        }
        device = asked.runtime.partition(":")[2] or asked.runtime
        card = re.sub(r"[^a-z0-9]+", "-", self.document["machine"]["card"].lower()).strip("-")
        self.path = asked.output / f"{device}-{card}-{self.document['date']}.json"

    def part(self, name: str) -> Path:
        """A file of records."""
        return self.folder / f"{name}.jsonl"

    def write(self) -> None:
        """All that there is by now, as JSON and as a page; each file whole or not at all."""
        self.document["seconds"] = round(time.time() - self.began, 1)
        records = [json.loads(line) for part in sorted(self.folder.glob("*.jsonl")) for line in _whole_lines(part)]
        names = list(dict.fromkeys(r["setting"] for r in records if "setting" in r))
        numbered = [r | {"setting": names.index(r["setting"])} if "setting" in r else r for r in records]
        head = json.dumps(self.document | {"settings": names}, indent=1, ensure_ascii=False)
        lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in numbered)
        text = head.rstrip("}\n") + ',\n "records": [\n' + lines + "\n ]\n}\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for path, content in ((self.path, text), (self.path.with_suffix(".md"), page(json.loads(text)))):
            hidden = path.with_name(f".{path.name}.{os.getpid()}")
            hidden.write_text(content, encoding="utf-8")
            hidden.replace(path)


def _whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def machine(runtime: str) -> dict[str, Any]:
    """Versions, the card, and the pieces that the provider stands on."""
    import numpy
    import onnx
    import onnxruntime

    from onnxconv.errors import NotAvailable
    from onnxconv.runtimes import gpu

    found = {subject: told for subject, told, _ in gpu.pieces()}
    try:
        card = ", ".join(gpu.driver().gpus)
    except NotAvailable:
        card = platform.machine()
    return {
        "card": card if runtime.endswith("cuda") else platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "onnxruntime": f"{getattr(onnxruntime, 'package_name', 'onnxruntime')} {onnxruntime.__version__}",
        "onnx": onnx.__version__,
        "numpy": numpy.__version__,
        "commit": _output(["git", "rev-parse", "HEAD"]),
        "pieces": found if runtime.endswith("cuda") else {},
        "packages": [line for line in _output([sys.executable, "-m", "pip", "list"]).splitlines() if "nvidia" in line],
        "nvidia-smi": _output(["nvidia-smi"]) if runtime.endswith("cuda") else "",
    }


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
