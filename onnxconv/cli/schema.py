"""``onnxconv schema``: the grammar of specs, for editors."""

from __future__ import annotations

import click

from onnxconv.cli import options


@click.command(
    epilog="""\b
Examples:
  onnxconv schema -o onnxconv.schema.json
then let a spec begin with
  # yaml-language-server: $schema=onnxconv.schema.json

\b
Exit codes: 0 told; 2 wrong usage; 130 interrupted.
"""
)
@options.output_option("Write to this file instead of standard output.")
def schema(output: str | None) -> None:
    """Print the JSON Schema of specs, for editors."""
    import json

    from onnxconv.cli.output import deliver
    from onnxconv.spec import schema as make

    deliver(json.dumps(make(), indent=2) + "\n", output)
