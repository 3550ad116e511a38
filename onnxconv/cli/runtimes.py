"""``onnxconv runtimes``: what can run here."""

from __future__ import annotations

import click

from onnxconv.cli import options


@click.command(
    epilog="""\b
Your own runtime needs no packaging; wherever a runtime is asked for, write
  python:FILE.py        a file with prepare(model_path), which returns
                        run(inputs: dict[str, ndarray]) -> dict[str, ndarray]
  onnx-backend:MODULE   a module with ONNX's Backend interface
  command:PROGRAM       a program called with a folder in ONNX's node-test layout

\b
Examples:
  onnxconv runtimes
  onnxconv runtimes --format json

\b
Exit codes: 0 told; 2 wrong usage; 130 interrupted.
"""
)
@options.format_option("text", "json")
def runtimes(format: str) -> None:
    """List what can run here, its version, or why it cannot."""
    from onnxconv.cli.output import deliver, style, width
    from onnxconv.report import as_json, runtimes_text
    from onnxconv.runtimes import Absent, statuses

    found = []
    for name, state in statuses().items():
        if isinstance(state, Absent):
            found.append({"name": name, "available": False, "version": None, "reason": state.reason, "fix": state.fix})
        else:
            found.append({"name": name, "available": True, "version": state.version, "reason": None, "fix": None})
    deliver(as_json({"runtimes": found}) if format == "json" else runtimes_text(found, width(), style()))
