"""What a runtime is made of: packages that may not be installed, and programs that may not be on PATH."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
from typing import Any

from onnxconv.runtimes.protocol import RuntimeAbsent


def imported(module: str, package: str, how: str = "") -> Any:
    """A module of a package. Raises `RuntimeAbsent`, with the line that installs it; `how`: options that this needs."""
    fix = f"pip install {how}{package}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing, own = error.name or "", module.partition(".")[0]
        if missing == own:
            raise RuntimeAbsent(f"{package} is not installed", fix) from error
        what = f"{package} cannot be imported: {_first_line(error)}"
        broken = missing.partition(".")[0] in ("", own)
        raise RuntimeAbsent(
            what, f"pip install --force-reinstall {package}" if broken else f"pip install {missing}"
        ) from error
    except Exception as error:  # a broken binary raises OSError, AttributeError, RuntimeError, …
        raise RuntimeAbsent(
            f"{package} cannot be imported: {_first_line(error)}", f"pip install --force-reinstall {package}"
        ) from error


def version_of(*packages: str) -> str:
    """The versions of packages that are installed, as ``1.2`` or, of more than one, ``first 1.2, second 3.4``."""
    if len(packages) == 1:
        return importlib.metadata.version(packages[0])
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def program(names: tuple[str, ...], wanted: str, fix: str) -> str:
    """The first of these programs on PATH. Raises `RuntimeAbsent`, saying what it is `wanted` for."""
    for name in names:
        if found := shutil.which(name):
            return found
    raise RuntimeAbsent(f"{wanted} with {' or '.join(names)}, which is not on PATH", fix)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
