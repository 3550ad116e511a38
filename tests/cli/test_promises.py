"""What the command line promises: commands and flags that scripts rely on, and help that states all of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
import pytest
from cli.shell import ROOT, call

from onnxconv import __version__
from onnxconv.cli import COMMANDS

PROMISED = {
    "build": "-o --weights --seed --opset --ir-version --dtype --weights-as --external-data --set",
    "run": "-o --input --runtime --every-tensor",
    "verify": "--runtime --probe --seed --trials --timeout --format -o",
    "report": "--format -o --input-shape",
    "reduce": "--runtime -o --probe --seed",
    "bench": "--runtime --threads --repeat --format",
    "import": "-o",
    "embed": "--target -o --list --check",
    "runtimes": "--format",
    "schema": "",
    "doctor": "",
}
"""Names that scripts outside this repository rely on: nothing here is ever renamed or removed."""

ADDED = {
    "build": "--output --input-shape --unproved --calibrate",
    "run": "--output --weights --seed --timeout --runtime-option --input-shape --set",
    "verify": "--output --runtime-option --runtime-matrix --weights --input-shape --set --arithmetic --coverage --error-map",
    "reduce": "--output --weights --timeout --runtime-option --input-shape --set",
    "report": "--output --set --at --sample-rate",
    "bench": "-o --output --seed --weights --timeout --runtime-option --input-shape --set",
    "import": "--output --input-shape",
    "embed": "--output --adapt --rewrite --format --weights --seed --timeout --input-shape --set",
    "runtimes": "",
    "schema": "-o --output",
    "doctor": "--format",
}

CHOICES = {
    ("build", "--weights-as"): ["constants", "inputs"],
    ("build", "--external-data"): ["auto", "always", "never"],
    ("verify", "--format"): ["text", "json"],
    ("bench", "--format"): ["text", "json"],
    ("embed", "--format"): ["text", "json"],
    ("report", "--format"): ["text", "json", "csv", "markdown", "html"],
}

DEFAULTS = {
    ("build", "opset"): 17,
    ("build", "ir_version"): 8,
    ("build", "seed"): 0,
    ("build", "weights_as"): "constants",
    ("build", "external_data"): "auto",
    ("run", "runtime"): "numpy",
    ("bench", "threads"): 1,
    ("bench", "repeat"): 10,
    ("bench", "format"): "text",
    ("verify", "trials"): 1,
    ("verify", "format"): "text",
    ("report", "format"): "text",
}

BY_NAME = {str(command.name): command for command in COMMANDS}
MANUAL = ROOT / "docs" / "cli.md"


def flags(command: click.Command) -> set[str]:
    return {flag for param in command.params if isinstance(param, click.Option) for flag in param.opts}


def test_the_commands_are_these_and_no_stubs() -> None:
    assert list(BY_NAME) == list(PROMISED)
    assert not set(BY_NAME) & {"suite", "sweep"}


@pytest.mark.parametrize("name", PROMISED)
def test_flags_are_those_promised_and_those_added(name: str) -> None:
    assert flags(BY_NAME[name]) == set(PROMISED[name].split()) | set(ADDED[name].split())


@pytest.mark.parametrize("name", PROMISED)
def test_help_states_every_flag_an_example_and_the_exit_codes(name: str) -> None:
    told = call(name, "--help")
    assert told.exit_code == 0
    for flag in flags(BY_NAME[name]) - {"--output"}:
        assert re.search(rf"(?<!\S){flag}\b", told.stdout), flag
    assert f"  onnxconv {name}" in told.stdout
    assert "Exit codes: 0" in told.stdout
    assert "130" in told.stdout


@pytest.mark.parametrize(("name", "flag"), CHOICES)
def test_choices(name: str, flag: str) -> None:
    (option,) = [p for p in BY_NAME[name].params if flag in p.opts]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == CHOICES[name, flag]


@pytest.mark.parametrize(("name", "parameter"), DEFAULTS)
def test_defaults(name: str, parameter: str) -> None:
    (option,) = [p for p in BY_NAME[name].params if p.name == parameter]
    assert option.default == DEFAULTS[name, parameter]


def test_every_exit_code_is_told() -> None:
    told = call("--help").stdout
    for code in ("0 ", "1 ", "2 ", "3 ", "70 ", "130 "):
        assert re.search(rf"^    {code}", told, re.MULTILINE), code


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["report", "-h"]], ids=" ".join)
def test_help_goes_to_standard_output(arguments: list[str]) -> None:
    told = call(*arguments)
    assert told.exit_code == 0
    assert told.stdout.startswith("Usage: onnxconv")
    assert not told.stderr


def test_no_command_shows_help_as_a_mistake() -> None:
    told = call()
    assert told.exit_code == 2
    assert not told.stdout
    assert "Commands:" in told.stderr


def test_version_is_the_projects() -> None:
    told = call("--version")
    assert told.stdout == f"onnxconv {__version__}\n"
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


BLOCK = re.compile(r"```console\n\$ (onnxconv[^\n]*--help)\n(.*?)```", re.DOTALL)


def test_the_manual_holds_the_help_of_every_command() -> None:
    """Set ONNXCONV_WRITE_GOLDEN=1 to write the manual's blocks anew."""
    text = MANUAL.read_text(encoding="utf-8")
    if os.environ.get("ONNXCONV_WRITE_GOLDEN") == "1":
        text = BLOCK.sub(lambda found: f"```console\n$ {found[1]}\n{help_of(found[1])}```", text)
        MANUAL.write_text(text, encoding="utf-8")
    blocks = dict(BLOCK.findall(text))
    assert list(blocks) == ["onnxconv --help", *(f"onnxconv {name} --help" for name in PROMISED)]
    for command, shown in blocks.items():
        assert shown == help_of(command), command


def help_of(command: str) -> str:
    """As on a terminal of 100 columns, of which click leaves 2 free."""
    return call(*command.split()[1:], terminal_width=98).stdout


def test_the_manual_is_where_the_readme_can_link_to() -> None:
    assert Path(MANUAL).is_file()
