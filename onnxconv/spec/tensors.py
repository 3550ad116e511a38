"""Names of tensors: made unique when layers are written out, and found again by references."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator
from itertools import islice

from onnxconv.errors import Where, closest
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.written import Reference

__all__ = ["Tensors"]

MOST_COMPARISONS = 2_000_000
"""Names compared with patterns, in one spec."""
MOST_SUGGESTED = 200
"""Names among which the closest one is looked for, and references for which it is."""


class Tensors:
    """Names of layers, of inputs, and of blocks and repeats, which stand for the tensor of their last layer.

    A name is looked up in the scope of the reference first, then in the scopes around it.
    """

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._reserved: set[str] = set()
        self._tensors: dict[str, str] = {}
        self._places: dict[str, Where] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._unknown: list[tuple[Reference, str]] = []
        self._compared = 0

    @property
    def unknown(self) -> int:
        """References so far that nothing answers to."""
        return len(self._unknown)

    def items(self) -> ItemsView[str, str]:
        """(name, tensor) pairs in the order in which they were written."""
        return self._tensors.items()

    def add(self, name: str, tensor: str, where: Where) -> None:
        """From here on, `name` stands for `tensor`."""
        self._tensors[name] = tensor
        self._places.setdefault(name, where)

    def reserve(self, prefix: str, names: Iterable[str]) -> None:
        """Keep names that are given in a scope from layers that have none."""
        self._reserved.update(prefix + name for name in names)

    def claim(self, prefix: str, word: str, given: str | None, where: Where) -> str:
        """The name in its scope: the given one, else the layer's word, else word_2, word_3, …"""
        if given is not None:
            name = prefix + given
            if name in self._places:
                first = self._places[name]
                place = (
                    f"it was given at line {first.line}, column {first.column}" if first.line else "it was given before"
                )
                self._mistakes.add(where, "duplicate-name", f"the name {name!r} a second time", place, "choose another")
            self._places.setdefault(name, where)
            return name
        while True:
            count = self._counts[prefix, word] = self._counts.get((prefix, word), 0) + 1
            local = word if count == 1 else f"{word}_{count}"
            if prefix + local not in self._places and prefix + local not in self._reserved:
                self._places[prefix + local] = where
                return prefix + local

    def find(self, reference: Reference, prefix: str) -> str | None:
        """The tensor of that name; None, to be reported by `report_unknown`, where there is none so far."""
        for scope in _scopes(prefix):
            if scope + reference.name in self._tensors:
                return self._tensors[scope + reference.name]
        self._unknown.append((reference, prefix))
        return None

    def matching(self, reference: Reference, prefix: str) -> tuple[str, ...]:
        """The tensors that match a pattern, in order, each once; * and ? stand for letters other than a dot."""
        for scope in _scopes(prefix):
            self._compared += len(self._tensors)
            if self._compared > MOST_COMPARISONS:
                self._mistakes.add(
                    reference.where,
                    "expansion",
                    "patterns are compared with too many names",
                    f"at most {MOST_COMPARISONS} comparisons",
                    "use fewer patterns, or names",
                )
                return ()
            pattern = re.compile(
                "".join({"*": "[^.]*", "?": "[^.]"}.get(c, re.escape(c)) for c in scope + reference.name)
            )
            found = dict.fromkeys(tensor for name, tensor in self._tensors.items() if pattern.fullmatch(name))
            if found:
                return tuple(found)
        self._unknown.append((reference, prefix))
        return ()

    def report_unknown(self) -> None:
        """Report every reference that found nothing, now that all names are known."""
        for i, (reference, prefix) in enumerate(self._unknown):
            later = next((s + reference.name for s in _scopes(prefix) if s + reference.name in self._tensors), None)
            if later is not None:
                place = self._places[later]
                what = f"{reference.name!r} comes later, at line {place.line}"
                self._mistakes.add(
                    reference.where,
                    "unknown-tensor",
                    what,
                    "a layer reads what was computed before it",
                    "move one of the two",
                )
                continue
            what, rule = f"nothing is called {reference.name!r}", "a tensor has the name of its layer, block or input"
            fix = closest(reference.name, self._near(prefix)) if i < MOST_SUGGESTED else "use a name that there is"
            self._mistakes.add(reference.where, "unknown-tensor", what, rule, fix)

    def _near(self, prefix: str) -> list[str]:
        """Names as they may be written in a scope."""
        known = list(self._tensors)[-MOST_SUGGESTED:]
        local = (name.removeprefix(scope) for scope in _scopes(prefix) for name in known if name.startswith(scope))
        return list(islice(local, MOST_SUGGESTED))


def _scopes(prefix: str) -> Iterator[str]:
    """'a.b.' → 'a.b.', 'a.', ''"""
    while prefix:
        yield prefix
        prefix = prefix[: prefix[:-1].rfind(".") + 1]
    yield ""
