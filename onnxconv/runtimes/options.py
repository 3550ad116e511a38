"""Options of a runtime: text in, checked values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxconv.errors import Diagnostic, UsageError, Where, closest

Reader = Callable[[str], Any]


def read_options(runtime: str, options: Mapping[str, str], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The values of the options given. Raises `UsageError` with every unknown name and every unreadable value.

    A reader turns text into a value, or raises ValueError saying what it takes.
    """
    values: dict[str, Any] = {}
    mistakes = []
    for name, text in options.items():
        if name not in readers:
            known = closest(name, readers) if readers else "this runtime has no options"
            mistakes.append(Diagnostic(Where(), "unknown-option", f"{runtime} has no option {name!r}", "", known))
            continue
        try:
            values[name] = readers[name](text)
        except ValueError as error:
            what = f"option {name} of {runtime} is {text!r}"
            mistakes.append(Diagnostic(Where(), "bad-option", what, f"it is {error}"))
    if mistakes:
        raise UsageError(mistakes)
    return values


def count(text: str) -> int:
    """A number from 0."""
    if not text.isascii() or not text.isdigit():
        raise ValueError("a whole number from 0")
    return int(text)


def switch(text: str) -> bool:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


def one_of(*words: str) -> Reader:
    """One of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def text(value: str) -> str:
    """Anything."""
    return value
