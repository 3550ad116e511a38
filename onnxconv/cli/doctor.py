"""``onnxconv doctor``: the installation, and what to do about it."""

from __future__ import annotations

import click

from onnxconv.cli import options
from onnxconv.cli.edge import NOT_HERE


@click.command(
    epilog="""\b
Examples:
  onnxconv doctor
  onnxconv doctor --format json

\b
Exit codes: 0 all that onnxconv needs is there and works (what is marked "note"
is optional); 2 wrong usage; 3 something needed is missing or broken;
130 interrupted.
"""
)
@options.format_option("text", "json")
def doctor(format: str) -> int:
    """Check the installation and say what to do about what is missing."""
    from onnxconv.cli.installation import examine
    from onnxconv.cli.output import deliver, style, width
    from onnxconv.report import as_json, doctor_text

    found = {"findings": [finding.document() for finding in examine()]}
    healthy = all(finding["state"] != "problem" for finding in found["findings"])
    deliver(
        as_json({"healthy": healthy, **found}) if format == "json" else doctor_text(found["findings"], width(), style())
    )
    return 0 if healthy else NOT_HERE
