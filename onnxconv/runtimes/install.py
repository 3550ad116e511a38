"""What is wrong with how runtimes are installed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxconv.errors import Diagnostic, Where

if TYPE_CHECKING:
    from importlib.metadata import Distribution

MODULE_FILE = "onnxruntime/__init__.py"

UNINSTALL = "pip uninstall -y onnxruntime onnxruntime-gpu"


def conflicts() -> tuple[Diagnostic, ...]:
    """Packages that overwrite each other; reads package metadata only.

    onnxruntime, onnxruntime-gpu and their like all bring the one module `onnxruntime`. In one folder, whichever was
    installed last is the one that is imported, with files of the other in between, and uninstalling either breaks both.
    In two folders the first on the path hides the other, whole.
    """
    from importlib.metadata import distributions

    folders: dict[str, set[tuple[str, str]]] = {}
    for distribution in distributions():
        if "onnxruntime" in _name(distribution) and _brings_module(distribution):
            owner = (distribution.name, distribution.version)
            folders.setdefault(str(distribution.locate_file("")), set()).add(owner)
    owners = sorted(next(iter(folders.values()), set()))
    if len(owners) < 2:
        return ()
    listed = " and ".join(f"{name} {version}" for name, version in owners)
    names = " ".join(name for name, _ in owners)
    keep = next((name for name, _ in owners if name.endswith("-gpu")), owners[0][0])
    return (
        Diagnostic(
            Where(),
            "two-onnxruntimes",
            f"{listed} are installed together",
            "both bring the module onnxruntime and overwrite each other's files; which providers there are depends on "
            "the order of installation",
            f"pip uninstall -y {names} && pip install {keep}",
        ),
    )


def _name(distribution: Distribution) -> str:
    """Empty where the metadata are gone, as an uninstallation that was cut short leaves it."""
    return str(distribution.metadata["Name"] or "").lower()


def _brings_module(distribution: Distribution) -> bool:
    return any(str(file) == MODULE_FILE for file in distribution.files or ())
