"""What can go wrong by a user's hand, and how it is said.

A mistake in a file is a `Diagnostic`: where, what, the rule, and what to write instead.
An `OnnxconvError` carries every diagnostic that was found, not only the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "Diagnostic",
    "ModelError",
    "NotAvailable",
    "OnnxconvError",
    "Refusal",
    "SpecError",
    "UsageError",
    "WeightsError",
    "Where",
    "closest",
]


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place: a file, and in it a line and a column, both counted from 1 (0: the file as a whole)."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One mistake: its place, a stable code, what is wrong, the rule that says so, and what to do."""

    where: Where
    code: str
    what: str
    why: str = ""
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if str(self.where) else ""
        lines = [f"{place}{self.what} [{self.code}]"]
        lines += [f"    rule: {self.why}"] if self.why else []
        lines += [f"    fix: {self.fix}"] if self.fix else []
        return "\n".join(lines)


class OnnxconvError(Exception):
    """A mistake of the user's, with all its diagnostics. The command line exits with `exit_code`."""

    exit_code = 2

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        assert found, "an error says at least one thing"
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__("\n".join(str(d) for d in found))


class SpecError(OnnxconvError):
    """A spec, or a one-line problem, that says something impossible."""


class ModelError(OnnxconvError):
    """An ONNX model that cannot be read or is not understood."""


class WeightsError(OnnxconvError):
    """A weight that is missing, superfluous or of the wrong shape."""


class UsageError(OnnxconvError):
    """A wrong option, name or combination of them."""


class NotAvailable(OnnxconvError):
    """Something asked for that cannot run on this machine; nothing disagreed."""

    exit_code = 3


class Refusal(Exception):
    """A rule of convolution broken, said without a place.

    Whoever knows the place makes it a `Diagnostic` by `at`. `attribute` is the attribute at fault, if one is.
    """

    def __init__(self, code: str, what: str, why: str = "", fix: str = "", attribute: str = "") -> None:
        self.code, self.what, self.why, self.fix, self.attribute = code, what, why, fix, attribute
        super().__init__(what)

    def at(self, where: Where) -> Diagnostic:
        return Diagnostic(where, self.code, self.what, self.why, self.fix)


def closest(word: str, known: Iterable[str], most: int | None = None) -> str:
    """'did you mean …?' for the nearest known word, whatever its case, or the list of known words, of which at most `most` are told."""
    import difflib

    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    more = [f"and {len(names) - most} more"] if most is not None and len(names) > most else []
    return f"known here: {', '.join(names[:most] + more)}"
