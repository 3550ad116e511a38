"""Templates are files of their own languages: each is formatted and linted as such, and so is what bundles are made of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
from embed.nets import NETS
from packaging.requirements import InvalidRequirement, Requirement

import onnxconv
from onnxconv.embed import find, names
from onnxconv.embed.targets.c import _header

ROOT = Path(__file__).parents[2]
TARGETS = ROOT / "onnxconv" / "embed" / "targets"
SETTINGS = (".clang-format", ".editorconfig", "eslint.config.mjs")
"""Of the formatters and linters, which find them beside the templates."""
SKIPPED = ("__pycache__",)


def program(name: str, fix: str) -> str:
    """On the path, or of the environment that Python runs in."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return found or pytest.skip(f"{name} is missing: {fix}")


def of_node(package: str, script: str) -> tuple[str, str]:
    """A program in JavaScript, found by NODE_PATH."""
    node = program("node", "install Node.js")
    asked = [node, "-p", f"require.resolve('{package}/package.json')"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"{package} is missing: npm install {package}, and set NODE_PATH to its node_modules")
    return node, str(Path(found.stdout.strip()).parent / script)


def said(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def named(text: str, files: Collection[str]) -> set[str]:
    """The files that a program has something to say of."""
    return {file for file in files if f"{file}:" in text or file in text.splitlines()}


def ruff(folder: Path, files: Sequence[str]) -> set[str]:
    """But for the order of imports: which modules are our own depends on the folder."""
    found = program("ruff", "pip install 'onnxconv[test]'")
    config = ("--no-cache", "--config", str(ROOT / "pyproject.toml"), *files)
    unformatted = said(folder, found, "format", "--check", *config)
    return named(unformatted + said(folder, found, "check", "--output-format=concise", "--ignore=I001", *config), files)


def prettier(folder: Path, files: Sequence[str]) -> set[str]:
    return named(said(folder, *of_node("prettier", "bin/prettier.cjs"), "--list-different", *files), files)


def eslint(folder: Path, files: Sequence[str]) -> set[str]:
    told = json.loads(said(folder, *of_node("eslint", "bin/eslint.js"), "--format=json", "--max-warnings=0", *files))
    return {str(Path(one["filePath"]).relative_to(folder.resolve())) for one in told if one["messages"]}


def clang_format(folder: Path, files: Sequence[str]) -> set[str]:
    found = program("clang-format", "pip install 'onnxconv[test]'")
    return named(said(folder, found, "--dry-run", *files), files)


def compiler(folder: Path, files: Sequence[str]) -> set[str]:
    """C alone: bundles compile C++ in front of its runtime's headers, and ``check.c`` of target `c` with a model."""
    words = (
        "-fsyntax-only -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Ishared/c -Ishared/dlopen".split()
    )
    return named(said(folder, program("cc", "apt install gcc"), *words, *files), files)


def shfmt(folder: Path, files: Sequence[str]) -> set[str]:
    return named(said(folder, program("shfmt", "apt install shfmt"), "-l", *files), files)


def shellcheck(folder: Path, files: Sequence[str]) -> set[str]:
    where = ("-x", "-P", "shared/c", "-P", ".", "-f", "gcc")
    return named(said(folder, program("shellcheck", "apt install shellcheck"), *where, *files), files)


def make(folder: Path, files: Sequence[str]) -> set[str]:
    """GNU make itself, on sources without content."""
    program("make", "apt install make")
    found = set()
    for file in files:
        empty = folder / "made" / file
        empty.mkdir(parents=True)
        for source in ("model.c", "model.h", "check.c", "golden.c", "sha256.c", "model.cpp", "model.hpp", "check.cpp"):
            (empty / source).touch()
        goals = ("libmodel.a", "check_program" if "check_program" in (folder / file).read_text() else "check")
        given = ("LIBRARY=x", "SOURCE=model.c", "PROGRAM=x", *goals)
        told = said(empty, "make", "-n", "--warn-undefined-variables", "-f", str(folder / file), *given)
        found |= {file} if "warning:" in told or "***" in told else set()
    return found


def requirements(folder: Path, files: Sequence[str]) -> set[str]:
    found = set()
    for file in files:
        try:
            assert [str(Requirement(line)) for line in (folder / file).read_text().splitlines()]
        except InvalidRequirement:
            found.add(file)
    return found


TOOLS: dict[str, tuple[Callable[[Path, Sequence[str]], set[str]], tuple[str, ...], str]] = {
    "ruff": (ruff, (".py",), "import os\nx = (1)\n"),
    "prettier": (prettier, (".mjs", ".js", ".html", ".css", ".json", ".md"), "const x = {a: 1}\n"),
    "eslint": (eslint, (".mjs", ".js"), "const x = { a: 1 };\n"),
    "clang-format": (clang_format, (".c", ".h", ".cpp", ".hpp"), "int  x;\n"),
    "compiler": (compiler, (".c",), "int x[0];\n"),
    "shfmt": (shfmt, (".sh",), "#!/bin/sh\n  echo\n"),
    "shellcheck": (shellcheck, (".sh",), "#!/bin/sh\necho $1\n"),
    "make": (make, ("Makefile",), "all:\n\techo $(NOTHING)\nlibmodel.a check: all\n"),
    "requirements": (requirements, ("requirements.txt",), "numpy >> 1\n"),
}
"""What sees to files with such an ending, and a file with which it is not content."""
ENDINGS = tuple(ending for _, endings, _ in TOOLS.values() for ending in endings)


def walked(folder: Path) -> list[str]:
    """Every file of a folder."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.as_posix() for path in paths if not set(SKIPPED) & set(path.parts)]


def test_every_template_is_of_a_language_that_something_sees_to() -> None:
    templates = walked(TARGETS)
    assert [name for name in templates if not name.endswith(ENDINGS)] == [".clang-format", ".editorconfig"]
    installed = Path(onnxconv.__file__).parent / "embed" / "targets"  # which need not be that of the checkout
    folders = {folder for target in map(find, names()) for folder in target.files}
    copied = {(folder / name).relative_to(installed).as_posix() for folder in folders for name in walked(folder)}
    assert len(copied) > 50
    assert copied <= set(templates)


@pytest.mark.parametrize("tool", TOOLS)
def test_templates_are_formatted_and_linted_in_their_own_language(tool: str, tmp_path: Path) -> None:
    """A file that is not is found among them."""
    sees, endings, bad = TOOLS[tool]
    folder = tmp_path / "targets"
    shutil.copytree(TARGETS, folder, ignore=shutil.ignore_patterns(*SKIPPED))
    planted = f"planted/x{endings[0]}" if endings[0].startswith(".") else f"planted/{endings[0]}"
    (folder / planted).parent.mkdir()
    (folder / planted).write_text(bad)
    files = [name for name in walked(folder) if name.endswith(endings) and (tool, name) != ("compiler", GENERATED)]
    assert len(files) > 2
    assert sees(folder, files) == {planted}


GENERATED = "c/files/check.c"
"""Includes what is generated; bundles compile it."""


def test_the_header_of_generated_c_is_formatted_however_many_inputs_there_are(tmp_path: Path) -> None:
    shutil.copy(TARGETS / ".clang-format", tmp_path)
    template = (TARGETS / "c" / "files" / "model.h").read_text(encoding="utf-8")
    for count in range(1, 9):
        parameters = ", ".join(f"const float {'x' * (7 * n + 1)}{n}[restrict 1][2][3]" for n in range(count))
        entries = [{"dtype": "float32", "shape": (1, *(10**k for k in range(n)))} for n in range(count)]
        source = f"\nvoid model({parameters}, float y[restrict 1]) {{\n"
        made = _header(template, source, {"inputs": entries, "outputs": entries[:1]})
        (tmp_path / f"{count}.h").write_text(made, encoding="utf-8")
        assert made.count(f"in[{count - 1}]") == 1
    (tmp_path / "bad.h").write_text("int  x;\n")
    assert clang_format(tmp_path, [*(f"{count}.h" for count in range(1, 9)), "bad.h"]) == {"bad.h"}


DATA = ("golden.json", "bundle.json", "layout.json")
"""Numbers, one on a line."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.extra(name)) for name in names()])
def test_what_a_bundle_holds_is_formatted(name: str, tmp_path: Path) -> None:
    target = find(name)
    if lacking := target.missing():
        pytest.skip("; ".join(f"{need.what} is missing: {need.fix}" for need in lacking))
    folder = onnxconv.read(NETS["small"], seed=1).embed(target, tmp_path / "b", adapt=True, seed=1).folder
    files = [file for file in walked(folder) if not file.endswith(DATA)]
    for setting in SETTINGS:
        shutil.copy(TARGETS / setting, folder)
    for tool in ("ruff", "prettier", "clang-format", "shfmt", "shellcheck", "requirements"):
        sees, endings, _ = TOOLS[tool]
        mine = [file for file in files if file.endswith(endings)]
        assert not mine or sees(folder, mine) == set(), tool
