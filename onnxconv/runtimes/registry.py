"""Which runtimes there are, by name."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.runtimes.process import Worker
from onnxconv.runtimes.protocol import Absent, Available, RuntimeAbsent, RuntimeFailed

GROUP = "onnxconv.runtimes"
"""The entry-point group; a runtime's name there is ``engine`` or ``engine:device``."""

BUILT_IN: dict[str, str] = {
    "numpy": "onnxconv.execute.runtime:NumpyRuntime",
    "onnx-reference": "onnxconv.runtimes.engines.reference:OnnxReference",
    "onnxruntime:cpu": "onnxconv.runtimes.engines.onnxruntime:cpu",
    "onnxruntime:cuda": "onnxconv.runtimes.engines.onnxruntime:cuda",
    "numpy:fast": "onnxconv.execute.runtime:PlannedRuntime",
    "openvino": "onnxconv.runtimes.engines.openvino:OpenVino",
    "tract": "onnxconv.runtimes.engines.tract:Tract",
    "opencv": "onnxconv.runtimes.engines.opencv:OpenCV",
    "tinygrad": "onnxconv.runtimes.engines.tinygrad:Tinygrad",
    "torch": "onnxconv.runtimes.engines.torch:Torch",
    "emx-c": "onnxconv.runtimes.engines.emx:EmxC",
    "tvm": "onnxconv.runtimes.engines.tvm:Tvm",
    "iree": "onnxconv.runtimes.engines.iree:Iree",
    "ncnn": "onnxconv.runtimes.engines.ncnn:Ncnn",
}
"""What this package's own entry points say, so that it also works where it is not installed."""

FORMS = {
    "python": "onnxconv.runtimes.engines.file:PythonFile",
    "onnx-backend": "onnxconv.runtimes.engines.backend:OnnxBackend",
    "command": "onnxconv.runtimes.engines.command:Command",
}
"""Bring your own: ``python:FILE.py``, ``onnx-backend:MODULE``, ``command:PROGRAM``."""

OPTIONS = re.compile(r"(,[a-z][a-z0-9_]*=[^,]*)+$")
"""Options at the end of a name."""

SHOWN_FORMS = ("python:FILE.py", "onnx-backend:MODULE", "command:PROGRAM")


def names() -> tuple[str, ...]:
    """The runtimes that have a name, ours first, whether or not they can work here."""
    return tuple(_targets())


def status(name: str) -> Available | Absent:
    """Whether a runtime can work here, asked in a process of its own. Raises `UsageError` for an unknown name."""
    try:
        with start(name) as worker:
            return Available(worker.version)
    except RuntimeAbsent as absent:
        return Absent(absent.reason, absent.fix)
    except RuntimeFailed as failed:
        return Absent(failed.reason)


def statuses() -> dict[str, Available | Absent]:
    """Every runtime that has a name, and whether it can work here; as many are asked at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as asking:
        return dict(zip(names(), asking.map(status, names()), strict=True))


def start(
    name: str, *, timeout: float = 60.0, options: Mapping[str, object] | None = None, processors: int = 0
) -> Worker:
    """A worker process with this runtime in it; `timeout`: seconds for one load or one run; `processors`: 0 for all.

    A name may carry options itself: ``onnxruntime:cpu,optimization=off,threads=1``.

    Raises `UsageError` for an unknown name or option, `RuntimeAbsent` where it cannot work here, `RuntimeFailed` where
    it dies while it starts.
    """
    plain, inline = split_options(name)
    target, argument = resolve(plain)
    text = inline | {key: str(int(v) if isinstance(v, bool) else v) for key, v in (options or {}).items()}
    return Worker(name, target, argument, timeout=timeout, options=text, processors=processors)


def split_options(name: str) -> tuple[str, dict[str, str]]:
    """A name without the options at its end, and those. A program's arguments are left as they are."""
    found = None if name.startswith("command:") else OPTIONS.search(name)
    if found is None:
        return name, {}
    pairs = (item.partition("=") for item in found[0].split(",")[1:])
    return name[: found.start()], {key: value for key, _, value in pairs}


def resolve(name: str) -> tuple[str, tuple[str, ...]]:
    """The object behind a name as ``module:object``, and what it is to be called with. Raises `UsageError`."""
    targets = _targets()
    if name in targets:
        return targets[name], ()
    form, _, rest = name.partition(":")
    if form not in FORMS:
        why = "a runtime is a name that 'onnxconv runtimes' lists, or a program, module or file of one's own"
        raise UsageError(Diagnostic(Where(), "unknown-runtime", f"there is no runtime {name!r}", why, _nearest(name)))
    if not rest:
        shown = next(s for s in SHOWN_FORMS if s.startswith(f"{form}:"))
        raise UsageError(Diagnostic(Where(), "unknown-runtime", f"{name!r} names nothing", "", f"write {shown}"))
    return FORMS[form], _argument(form, rest)


def _targets() -> dict[str, str]:
    """Every named runtime and its object. A stranger cannot take the name of one of ours."""
    from importlib.metadata import entry_points

    found = {point.name: point.value for point in entry_points(group=GROUP)}
    return BUILT_IN | {name: found[name] for name in sorted(found) if name not in BUILT_IN}


def _nearest(name: str) -> str:
    return closest(name, (*_targets(), *SHOWN_FORMS))


def _argument(form: str, rest: str) -> tuple[str, ...]:
    """What a bring-your-own runtime is opened with; files are checked and made absolute."""
    if form == "python":
        file = Path(rest)
        if not file.is_file():
            raise UsageError(Diagnostic(Where(rest), "no-file", "there is no such file", "", "write python:FILE.py"))
        return (str(file.absolute()),)
    if form == "command":
        return _program(rest)
    return (rest,)


def _program(rest: str) -> tuple[str, ...]:
    """A program's absolute path and its arguments, from a path as it is or from a command line."""
    try:
        words = [rest] if Path(rest).is_file() else shlex.split(rest)
    except ValueError as error:
        raise UsageError(Diagnostic(Where(), "no-program", f"{rest!r} is no command line", str(error))) from error
    program = shutil.which(words[0]) if words else None
    if program is None:
        what = f"there is no program {words[0] if words else rest!r} that can be run"
        fix = "give its path and make it executable, or give a name that is on PATH"
        raise UsageError(Diagnostic(Where(), "no-program", what, "", fix))
    return (str(Path(program).absolute()), *words[1:])
