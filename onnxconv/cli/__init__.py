"""The command line: arguments in, one library call, text and an exit status out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import click

from onnxconv import __version__
from onnxconv.cli.bench import bench
from onnxconv.cli.build import build
from onnxconv.cli.doctor import doctor
from onnxconv.cli.edge import guarded
from onnxconv.cli.embed import embed
from onnxconv.cli.reduce import reduce
from onnxconv.cli.report import report
from onnxconv.cli.run import run
from onnxconv.cli.runtimes import runtimes
from onnxconv.cli.schema import schema
from onnxconv.cli.to_spec import to_spec
from onnxconv.cli.verify import verify

__all__ = ["COMMANDS", "commands", "main"]

COMMANDS: tuple[click.Command, ...] = (
    build,
    run,
    verify,
    report,
    reduce,
    bench,
    to_spec,
    embed,
    runtimes,
    schema,
    doctor,
)
"""Every command there is, in the order in which they are listed."""


class Commands(click.Group):
    """The commands, with everything that can go wrong turned into text on standard error and an exit status."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        extra = {**extra, "standalone_mode": False}
        raise SystemExit(guarded(lambda: click.Group.main(self, args, prog_name or "onnxconv", **extra)))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    "onnxconv",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  onnxconv report specs/resnet50.yaml
  onnxconv verify specs/resnet50.yaml
  onnxconv build specs/resnet50.yaml -o resnet50.onnx
  onnxconv report mb1_ic64ih56iw56_oc64_kh3kw3_ph1pw1

\b
SOURCE is a spec (.yaml, .yml, .json), an ONNX model (.onnx), a one-line conv
problem in benchdnn's syntax, or - for a spec on standard input.

\b
Exit codes:
  0    all that was asked for was done and held
  1    a runtime disagreed
  2    wrong usage, invalid spec or model; nothing was written
  3    something asked for could not run here, and nothing disagreed
  70   a bug in onnxconv
  130  interrupted

\b
Completion: eval "$(_ONNXCONV_COMPLETE=bash_source onnxconv)"
(zsh_source and fish_source likewise)
""",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Convolution layers from a declarative spec to verified ONNX."""


for command in COMMANDS:
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program: runs a command and exits with its status."""
    commands.main(arguments)
