"""A bundle: one folder, the same bytes for the same network, in which every file is accounted for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from onnxconv.embed.adapt import Adapted, Change, adapted
from onnxconv.embed.golden import GoldenSet, golden, write
from onnxconv.embed.target import CHECKING, Target
from onnxconv.embed.tolerance import words
from onnxconv.emit import EmitOptions, fitting, save
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.weights import Weights

__all__ = ["CHECKED", "LISTED", "Bundle", "embed", "sign"]

LISTED = "bundle.json"
"""What lists all other files."""
SUMS = "SHA256SUMS"
"""The same as lines."""
CHECKED = "check.json"
"""What a check came to, beside the bundle: measured, so that it is none of the files accounted for."""
FORMAT = 1
IGNORED = ("__pycache__",)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written. `changed`: what was done to the network for the target's sake."""

    folder: Path
    target: Target
    size: int
    """Bytes of all files."""
    changed: tuple[Change, ...]


def embed(
    graph: Graph,
    weights: Weights,
    target: Target,
    folder: Path,
    *,
    adapt: bool = False,
    rewrites: Sequence[str] = (),
    seed: int = 0,
    tool: str = "",
) -> Bundle:
    """Write a bundle, whole or not at all; one that was there before is replaced.

    `adapt`: change what the target cannot take, where there is a way round; `rewrites`: ways to go in any case, by name. The
    golden outputs are those of the network before. `seed` is that of the golden inputs; `tool`
    is written down as the version that made it. Raises `UsageError` with everything that the target cannot take, and where
    nothing can be written.
    """
    found = adapted(graph, weights, target, adapt=adapt, rewrites=rewrites)
    sets = list(golden(found.graph, found.weights, seed, target.arithmetic, before=(graph, weights)))
    before, graph = graph.digest(), found.graph
    options = fitting(graph, EmitOptions())
    with _replaced(folder) as hidden:
        for files in target.files:
            shutil.copytree(files, hidden, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*IGNORED))
        for one in sets:
            save(graph, one.weights, hidden / one.model, options)
        _explain(hidden / "README.md", sets)
        (hidden / "golden").mkdir()
        _json(hidden / "golden" / "golden.json", write(sets, hidden / "golden"))
        facts = _facts(found, before, target, sets, options, tool)
        target.convert(hidden, facts)
        size = sign(hidden, facts, target.checking)
    return Bundle(folder, target, size, found.changes)


def sign(folder: Path, facts: Mapping[str, Any], checking: Sequence[str] = CHECKING) -> int:
    """Write ``bundle.json``: the facts, and size and SHA-256 of every other file. The size of all files, in bytes.

    `checking`: patterns of the files that a product does without; what is left is told as ``product``.
    ``SHA256SUMS`` says the same of all files for ``sha256sum -c``, and for languages that do not read JSON.
    """
    for name in (LISTED, SUMS, CHECKED):
        (folder / name).unlink(missing_ok=True)
    accounted = _accounted(folder)
    sizes = {name: path.stat().st_size for name, path, _ in accounted}
    files = {name: {"bytes": sizes[name], "sha256": digest} for name, _, digest in accounted}
    total = sum(sizes.values())
    needed = [name for name in files if not any(fnmatchcase(name, pattern) for pattern in checking)]
    product = {"bytes": sum(sizes[name] for name in needed), "files": needed}
    _json(folder / LISTED, {**facts, "bytes": total, "product": product, "files": files})
    accounted.append((LISTED, folder / LISTED, _digest(folder / LISTED)))
    lines = (f"{digest}  {name}\n" for name, _, digest in sorted(accounted))
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return total + sum((folder / name).stat().st_size for name in (LISTED, SUMS))


def _accounted(folder: Path) -> list[tuple[str, Path, str]]:
    """Name, path and SHA-256 of every file, in the order of their names."""
    found = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return [(name, path, _digest(path)) for name, path in sorted(found)]


def _facts(
    found: Adapted, before: str, target: Target, sets: Sequence[GoldenSet], options: EmitOptions, tool: str
) -> dict[str, Any]:
    graph = found.graph
    types = graph.types()
    limits = list(target.limits)
    if all(one.name != "proof" for one in sets):
        limits.append("no twin of this network gives outputs that would prove something: there is no proof set")
    return {
        "format": FORMAT,
        "name": graph.name,
        "target": target.name,
        "digest": graph.digest(),
        "digest_before": before,
        "opset": options.opset,
        "ir_version": options.ir_version,
        "made_with": {"onnxconv": tool, **{name: version(name) for name in ("numpy", "onnx")}},
        "inputs": [{"name": name, "dtype": type.dtype, "shape": list(type.shape)} for name, type in graph.inputs],
        "outputs": [
            {"name": name, "dtype": types[name].dtype, "shape": list(types[name].shape)} for name in graph.outputs
        ],
        "precision": dict(target.precision),
        "tolerances": {
            one.name: {name: asdict(tolerance) for name, tolerance in one.tolerances.items()} for one in sets
        },
        "limits": limits,
        "changed": [_change(change, found, sets) for change in found.changes],
    }


def _explain(readme: Path, sets: Sequence[GoldenSet]) -> None:
    """Put the tolerances of this bundle behind what its target's README says of all."""
    if readme.is_file():
        with readme.open("a", encoding="utf-8") as stream:
            stream.write(f"\n{words({one.name: one.tolerances for one in sets})}")


def _change(change: Change, found: Adapted, sets: Sequence[GoldenSet]) -> dict[str, Any]:
    """A rewrite as ``bundle.json`` says it; one that is not exact with the largest change of each golden output."""
    made = change.made
    told = {"rewrite": change.rewrite, "says": made.says, "layers": list(change.layers), "proof": made.proof}
    if made.exact:
        return told
    after = run(found.graph, found.weights, sets[0].inputs)
    far = {name: np.abs(after[name].astype(float) - y.astype(float)) for name, y in sets[0].outputs.items()}
    return {**told, "difference": {name: float(off.max(initial=0)) for name, off in far.items()}}


def _json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """A hidden folder that becomes `folder` when the block ends. Refuses one that is there and is no bundle."""
    if folder.exists() and not (folder / LISTED).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        why = "what is there is kept, unless it is a bundle"
        raise UsageError(
            Diagnostic(Where(), "not-empty", f"{folder} is there and is no bundle", why, "name a new folder")
        )
    parent = next(place for place in folder.absolute().parents if place.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".onnxconv-", dir=parent) as hidden:
            made = Path(hidden) / "bundle"
            made.mkdir()
            yield made
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                os.replace(folder, Path(hidden) / "before")
            os.replace(made, folder)
    except OSError as reason:
        what = f"{folder} cannot be written to: {reason.strerror or reason}"
        fix = "choose a folder that you may write to, with enough space"
        raise UsageError(Diagnostic(Where(), "cannot-write", what, "", fix)) from reason
