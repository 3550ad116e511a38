"""In a shell: terminals, pipes that close, signals, and what is imported."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from cli.shell import ROOT, line, shell

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

HANGS = """\
import os, pathlib, time

def prepare(model_path):
    pathlib.Path(os.environ["PIDS"]).write_text(str(os.getpid()))
    time.sleep(600)
"""


def on_terminal(
    *arguments: str, cwd: Path, columns: int = 80, streams: str = "stdout", **environment: str
) -> tuple[str, str, int]:
    """(what the terminal showed, what went to the other stream, exit status) with one stream on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    other = "stderr" if streams == "stdout" else "stdout"
    process = subprocess.Popen(
        line(*arguments),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        **{streams: theirs, other: subprocess.PIPE},  # type: ignore[arg-type]
        env={**os.environ, "TERM": "xterm-256color", **environment},
        text=True,
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    rest = (process.stdout or process.stderr).read()  # type: ignore[union-attr]
    return shown.decode().replace("\r\n", "\n"), rest, process.wait(60)


@pytest.mark.parametrize("columns", [80, 132])
def test_a_terminal_gets_colours_and_its_width(here: Path, columns: int) -> None:
    shown, _, code = on_terminal("report", "net.yaml", cwd=here, columns=columns)
    assert code == 0
    assert ESCAPE.search(shown)
    lines = ESCAPE.sub("", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert ("window" in ESCAPE.sub("", shown).split("layer", 1)[1].splitlines()[0]) == (columns > 100)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_colours_can_be_refused(here: Path, environment: dict[str, str]) -> None:
    shown, _, _ = on_terminal("report", "net.yaml", cwd=here, **environment)
    assert "\x1b" not in shown
    assert shown.startswith("net  net.yaml\n")


def test_a_pipe_gets_neither_colours_nor_the_terminals_width(here: Path) -> None:
    plain = shell("report", "net.yaml", cwd=here)
    narrow = shell("report", "net.yaml", cwd=here, env={**os.environ, "COLUMNS": "40", "FORCE_COLOR": "1"})
    assert plain.stdout == narrow.stdout
    assert "\x1b" not in plain.stdout


@pytest.mark.slow
def test_progress_is_on_standard_error_and_on_a_terminal_only(here: Path) -> None:
    shown, results, code = on_terminal("verify", "net.yaml", "--probe", "shape", cwd=here, streams="stderr")
    assert code == 0
    assert "net.yaml" in shown
    assert "100%" in shown
    assert results.startswith("net.yaml: pass\n")
    assert "\x1b" not in results
    quiet = shell("verify", "net.yaml", "--probe", "shape", cwd=here)
    assert quiet.stderr == ""
    assert quiet.stdout == results


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_encoding_can_be_written_to(here: Path, encoding: str) -> None:
    done = subprocess.run(
        line("report", "net.yaml"),
        cwd=here,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert b"stem" in done.stdout


@pytest.mark.parametrize("arguments", [["report", "big.yaml", "--format", "json"], ["--help"]], ids=["report", "help"])
def test_a_reader_that_goes_away_is_no_error(here: Path, arguments: list[str]) -> None:
    layers = "\n".join(f"  - {{relu: , name: r{i}}}" for i in range(900)).replace("relu: ,", "relu: {},")
    (here / "big.yaml").write_text(f'inputs: {{x: "float32[1, 3, 8, 8]"}}\nlayers:\n{layers}\n')
    process = subprocess.Popen(line(*arguments), cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0
    assert said == b""


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("report net.yaml >&-", 2, "Error: standard output is closed: there is nowhere to write to\n"),
        ("report net.yaml >/dev/full", 2, "Error: standard output cannot be written: No space left on device\n"),
        ("build net.yaml -o net.onnx >&-", 0, "wrote net.onnx\n"),
        ("build net.yaml -o net.onnx 2>/dev/full", 0, ""),
        ("report none.yaml 2>/dev/full", 2, ""),
        ("report net.yaml --nothing 2>/dev/full", 2, ""),
        ("report net.yaml 2>&- >report.txt", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full(here: Path, command: str, code: int, told: str) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    for env in (buffered, buffered | {"PYTHONUNBUFFERED": "1"}):
        done = subprocess.run(
            f"{shlex.join(line())} {command}",
            shell=True,
            cwd=here,
            env=env,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (code, told)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "sigterm", "terminal-closed"]
)
def test_an_interrupt_ends_with_130_and_leaves_no_worker(here: Path, number: signal.Signals) -> None:
    (here / "hangs.py").write_text(HANGS)
    pids = here / "pids"
    process = subprocess.Popen(
        line("verify", "net.yaml", "--runtime", "python:hangs.py", "-o", "verdict.txt"),
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PIDS": str(pids), "TMPDIR": str(here)},
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (pids.is_file() and pids.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert said.strip() == "interrupted"
    assert not alive(int(pids.read_text()))
    assert not (here / "verdict.txt").exists()
    assert not [path for path in here.iterdir() if path.name.startswith(("onnxconv-", "."))]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4])
def test_a_kill_at_any_moment_leaves_nothing_or_the_whole(here: Path, delay: float) -> None:
    (here / "net.yaml").write_text((here / "net.yaml").read_text().replace("filters: 4", "filters: 4000"))
    assert shell("build", "net.yaml", "-o", "whole.onnx", cwd=here).returncode == 0
    process = subprocess.Popen(line("build", "net.yaml", "-o", "net.onnx"), cwd=here, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    process.wait()
    made = here / "net.onnx"
    assert not made.exists() or made.read_bytes() == (here / "whole.onnx").read_bytes()


IMPORTS = """\
import runpy, sys
sys.argv = ["onnxconv", *sys.argv[1:]]
try:
    runpy.run_module("onnxconv", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(name for name in sys.modules if "." not in name), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], {"numpy", "onnx", "onnx_ir", "onnxruntime", "rich", "yaml"}),
        (["verify", "--help"], {"numpy", "onnx", "onnx_ir", "onnxruntime", "rich", "yaml"}),
        (["--version"], {"numpy", "onnx", "onnx_ir", "onnxruntime", "rich", "yaml"}),
        (["report", "net.yaml"], {"onnx", "onnx_ir", "onnxruntime", "rich"}),
        (["report", "net.yaml", "--format", "json"], {"onnx", "onnx_ir", "onnxruntime", "rich"}),
        (["schema"], {"onnx", "onnx_ir", "onnxruntime", "rich"}),
        (["run", "net.yaml", "-o", "y.npz", "--input", "x=x.npy"], {"onnxruntime", "rich"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_light_commands_import_little(here: Path, arguments: list[str], absent: set[str]) -> None:
    import numpy as np

    np.save(here / "x.npy", np.zeros((1, 3, 16, 16), np.float32))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "onnxconv" in loaded
    assert not loaded & absent


@pytest.mark.parametrize(
    ("typed", "position", "expected"),
    [
        ("onnxconv ver", 1, "verify"),
        ("onnxconv verify --ti", 2, "--timeout"),
        ("onnxconv verify --runtime onnxruntime:cp", 3, "onnxruntime:cpu"),
        ("onnxconv verify --probe ex", 3, "exact"),
        ("onnxconv report --format mark", 3, "markdown"),
    ],
)
def test_the_shell_completes(here: Path, typed: str, position: int, expected: str) -> None:
    done = shell(
        cwd=here,
        env={
            **os.environ,
            "_ONNXCONV_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(position),
        },
    )
    assert f"plain,{expected}" in done.stdout.splitlines(), done.stderr


def test_the_module_and_the_script_are_one() -> None:
    assert 'onnxconv = "onnxconv.cli:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
