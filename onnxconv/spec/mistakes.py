"""The mistakes found so far in one spec."""

from __future__ import annotations

from onnxconv.errors import Diagnostic, SpecError, Where

__all__ = ["Mistakes"]

LONGEST = 600
"""Characters of one sentence: a spec may hold very long words."""


class Mistakes:
    """A growing list of diagnostics: one per place and code, however often a block is repeated."""

    def __init__(self) -> None:
        self._found: dict[tuple[Where, str], Diagnostic] = {}
        self.said = 0
        """Calls of `add`, those that told a mistake again included."""

    def add(self, where: Where, code: str, what: str, why: str = "", fix: str = "") -> None:
        self.said += 1
        said = (text if len(text) <= LONGEST else f"{text[:LONGEST]} ..." for text in (what, why, fix))
        self._found.setdefault((where, code), Diagnostic(where, code, *said))

    def __len__(self) -> int:
        return len(self._found)

    def found(self) -> tuple[Diagnostic, ...]:
        """Everything found, in the order of the file."""
        return tuple(sorted(self._found.values(), key=lambda d: (d.where.line, d.where.column)))

    def check(self) -> None:
        """Raise SpecError with everything found; return if nothing was."""
        if self._found:
            raise SpecError(self.found())
