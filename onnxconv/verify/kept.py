"""What one runtime is probed with and the next one is probed with too, made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar

__all__ = ["Kept"]


class Sized(Protocol):
    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""


T = TypeVar("T", bound=Sized | None)


class Kept:
    """Things by their keys, as long as they have so many bytes together; what does not fit is made anew whenever it is asked for."""

    def __init__(self, most: int = 0) -> None:
        self._left = most
        self._there: dict[Hashable, Sized | None] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under a key, which stands for one way of making it."""
        if key in self._there:
            return self._there[key]  # type: ignore[return-value]
        made = make()
        size = 0 if made is None else made.nbytes
        if size <= self._left:
            self._left -= size
            self._there[key] = made
        return made
