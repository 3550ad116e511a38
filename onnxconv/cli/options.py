"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from onnxconv.geometry import is_formula, names, shift

__all__ = [
    "DEFAULT_TIMEOUT",
    "Assignment",
    "Matrix",
    "dimensions",
    "format_option",
    "input_shapes_option",
    "output_option",
    "runtime_matrix_option",
    "runtime_option_option",
    "runtimes_option",
    "seed_option",
    "set_option",
    "source_argument",
    "sources_argument",
    "timeout_option",
    "unique",
    "weights_option",
]

DEFAULT_TIMEOUT = 60.0
"""Seconds."""

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]
Matrix = dict[str, tuple[str, ...]] | None
"""Values of each option of a runtime: none at all where no matrix was asked for, None for the runtime's own."""


class Seed(click.ParamType):  # type: ignore[type-arg]
    """A whole number of at most 64 bits."""

    name = "seed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not re.fullmatch(r"[0-9]{1,20}", str(value)) or int(value) >= 2**64:
            self.fail(f"{value!r} is not a whole number from 0 to 2^64 - 1", param, ctx)
        return int(value)


class Assignment(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """``NAME=value``, read into a pair. `read` turns the text of the value into it, or raises ValueError."""

    name = "assignment"

    def __init__(self, metavar: str, read: Callable[[str], Any] = str) -> None:
        self.metavar, self.read = metavar, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not (name and equals and text):
            self.fail(f"{value!r} is not {self.metavar}", param, ctx)
        try:
            return name, self.read(text)
        except ValueError as reason:
            self.fail(f"{value!r} is not {self.metavar}: {reason}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.metavar


def dimensions(text: str) -> tuple[int | str, ...]:
    """Sizes separated by commas, such as ``1,3,224,224``; a name, or a formula such as ``4*h``, stays symbolic."""
    return tuple(map(_dimension, text.split(",")))


def _dimension(text: str) -> int | str:
    text = text.strip()
    if is_formula(text) and all(name.isidentifier() for name in names(text)):
        return shift(text, 0)
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise ValueError(f"{text!r} is neither a size of at least 1 nor a name or formula")
    return int(text)


def unique(pairs: Iterable[tuple[str, Any]], option: str) -> dict[str, Any]:
    """The pairs as a dictionary. Raises `click.UsageError` where a name is given twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise click.UsageError(f"{option} gives {name!r} twice")
        found[name] = value
    return found


def _unique(_: click.Context, param: click.Parameter, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return unique(pairs, param.opts[0])


source_argument: Decorator[Any] = click.argument("source", metavar="SOURCE")
sources_argument: Decorator[Any] = click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)

set_option: Decorator[Any] = click.option(
    "--set",
    "parameters",
    type=Assignment("NAME=value"),
    multiple=True,
    callback=_unique,
    help="Override a parameter of the spec; may be repeated.",
)
input_shapes_option: Decorator[Any] = click.option(
    "--input-shape",
    "input_shapes",
    type=Assignment("NAME=1,3,224,224", dimensions),
    multiple=True,
    callback=_unique,
    help="The shape of an input: overrides a spec's, and gives numbers for sizes that a model leaves open; may be repeated.",
)
weights_option: Decorator[Any] = click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Read the weights from a .npz or .safetensors file, by name.",
)
timeout_option: Decorator[Any] = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=DEFAULT_TIMEOUT,
    show_default=True,
    metavar="S",
    help="Seconds that a runtime may take for one load or one run.",
)
runtime_option_option: Decorator[Any] = click.option(
    "--runtime-option",
    "options",
    type=Assignment("KEY=VALUE"),
    multiple=True,
    callback=_unique,
    help="An option of the runtime's own, such as threads=1; may be repeated.",
)


def _matrix(_: click.Context, param: click.Parameter, given: tuple[str, ...]) -> Matrix:
    if "default" in given:
        if len(given) > 1:
            raise click.BadParameter("'default' stands alone", param=param)
        return None
    assigned = Assignment("KEY=VALUE,VALUE", lambda text: tuple(text.split(",")))
    return unique((assigned.convert(text, param, None) for text in given), param.opts[0])


runtime_matrix_option: Decorator[Any] = click.option(
    "--runtime-matrix",
    "matrix",
    multiple=True,
    metavar="KEY=VALUE,VALUE",
    callback=_matrix,
    help="Check every runtime with each of these values of an option, and with every combination where repeated; "
    "'default' stands for the combinations that onnxconv has of the runtime.",
)


def seed_option(what: str) -> Decorator[Any]:
    """``--seed``, with a word on what is drawn from it."""
    return click.option("--seed", type=Seed(), default=0, show_default=True, metavar="N", help=f"Seed of {what}.")


def output_option(help: str, *, required: bool = False, metavar: str = "FILE") -> Decorator[Any]:
    """``-o``. Where a result is text, ``-`` is standard output, as without it."""

    def path(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value == "":
            raise click.BadParameter("'' is no path of a file", param=parameter)
        return None if value == "-" and not required else value

    return click.option(
        "-o", "--output", type=click.Path(), metavar=metavar, required=required, help=help, callback=path
    )


def format_option(*formats: str) -> Decorator[Any]:
    """``--format``, the first one being the default."""
    return click.option(
        "--format", type=click.Choice(formats), default=formats[0], show_default=True, help="How to lay it out."
    )


def runtimes_option(help: str, **settings: Any) -> Decorator[Any]:
    """``--runtime``."""
    return click.option("--runtime", metavar="NAME", shell_complete=_runtimes, help=help, **settings)


def _runtimes(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from onnxconv.runtimes import names

    return [name for name in names() if name.startswith(incomplete)]
