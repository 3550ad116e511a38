"""The mistakes found so far in one spec."""

from __future__ import annotations

from onnxconv.errors import Diagnostic, SpecError, Where

__all__ = ["Mistakes"]


class Mistakes:
    """A growing list of diagnostics: one per place and code, however often a block is repeated."""

    def __init__(self) -> None:
        self._found: dict[tuple[Where, str], Diagnostic] = {}

    def add(self, where: Where, code: str, what: str, why: str = "", fix: str = "") -> None:
        self._found.setdefault((where, code), Diagnostic(where, code, what, why, fix))

    def __len__(self) -> int:
        return len(self._found)

    def check(self) -> None:
        """Raise SpecError with everything found, in the order of the file; return if nothing was."""
        if self._found:
            raise SpecError(sorted(self._found.values(), key=lambda d: (d.where.line, d.where.column)))
