"""Which targets there are, by name."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from onnxconv.embed.target import Target
from onnxconv.errors import Diagnostic, UsageError, Where, closest

__all__ = ["GROUP", "find", "names"]

GROUP = "onnxconv.targets"
"""The entry-point group; each entry names a `Target`."""

BUILT_IN: dict[str, str] = {
    "python": "onnxconv.embed.targets.python:TARGET",
    "node": "onnxconv.embed.targets.node:TARGET",
    "web": "onnxconv.embed.targets.web:TARGET",
    "c": "onnxconv.embed.targets.c:TARGET",
    "ort-c": "onnxconv.embed.targets.ort_c:TARGET",
    "ort-mobile": "onnxconv.embed.targets.ort_mobile:TARGET",
    "openvino": "onnxconv.embed.targets.openvino:TARGET",
    "openvino-cpp": "onnxconv.embed.targets.openvino_cpp:TARGET",
    "opencv": "onnxconv.embed.targets.opencv:TARGET",
    "ncnn": "onnxconv.embed.targets.ncnn:TARGET",
    "tract": "onnxconv.embed.targets.tract:TARGET",
    "tract-c": "onnxconv.embed.targets.tract_c:TARGET",
    "tvm": "onnxconv.embed.targets.tvm:TARGET",
    "iree": "onnxconv.embed.targets.iree:TARGET",
    "litert": "onnxconv.embed.targets.litert:TARGET",
}
"""What this package's own entry points say, so that it also works where it is not installed."""


def names() -> tuple[str, ...]:
    """Every target, ours first."""
    return tuple(_places())


def find(name: str) -> Target:
    """The target of that name. Raises `UsageError` for an unknown one, and for one of a stranger's that cannot be imported."""
    places = _places()
    if name not in places:
        what = f"there is no target {name!r}"
        raise UsageError(
            Diagnostic(Where(), "unknown-target", what, f"one of {', '.join(places)}", closest(name, places))
        )
    module, _, attribute = places[name].partition(":")
    try:
        target = getattr(import_module(module), attribute)
    except Exception as reason:  # a stranger's module may raise anything
        if name in BUILT_IN:
            raise
        said = " ".join(f"{type(reason).__name__}: {reason}".split())
        raise UsageError(_broken(name, places[name], f"does not load: {said}")) from reason
    if not isinstance(target, Target):
        raise UsageError(_broken(name, places[name], f"is a {type(target).__name__}, not an onnxconv.embed.Target"))
    return target


def _broken(name: str, place: str, what: str) -> Diagnostic:
    owners = [point.dist.name for point in entry_points(group=GROUP, name=name) if point.dist]
    owner = f" of the package {owners[0]!r}" if owners else ""
    fix = f"mend or uninstall {owners[0]}" if owners else ""
    return Diagnostic(Where(), "target-broken", f"target {name!r}{owner} ({place}) {what}", "", fix)


def _places() -> dict[str, str]:
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    return BUILT_IN | {name: found[name] for name in sorted(found) if name not in BUILT_IN}
