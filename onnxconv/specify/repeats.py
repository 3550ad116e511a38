"""Layers that are said several times in a row, said once."""

from __future__ import annotations

from dataclasses import replace

from onnxconv.specify.items import PREVIOUS, Item, Layer, Repeated, Use, in_line

__all__ = ["lines", "repeated"]

LONGEST_PERIOD = 64
"""Layers of one repetition."""
LEAST_SAVING = 1
"""Lines that a repeat has to save."""


def repeated(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The items, runs of equal ones as a repeat: the one that saves most first, then what is left on both sides of it."""
    inside = tuple(_inside(item) for item in items)
    keys = tuple(_key(item) if not isinstance(item, Layer) or _reads(item) else None for item in inside)
    return min((_folded(inside, keys, side) for side in (-1, 1)), key=lambda found: sum(map(lines, found)))


def _inside(item: Item) -> Item:
    if not isinstance(item, Layer):
        return item
    return replace(item, branches=tuple(b if isinstance(b, str) else repeated(b) for b in item.branches))


def _folded(items: tuple[Item, ...], keys: tuple[object, ...], side: int) -> tuple[Item, ...]:
    """`side`: of runs that save as much, the first (-1) or the last (1) is taken."""
    best = max(_runs(items, keys, side), default=None)
    if best is None:
        return items
    start, period, times = side * best[1], *best[2:]
    end = start + period * times
    once = tuple(_folded(items[at : at + period], keys[at : at + period], side) for at in range(start, end, period))
    return (*_folded(items[:start], keys[:start], side), Repeated(once), *_folded(items[end:], keys[end:], side))


def _runs(items: tuple[Item, ...], keys: tuple[object, ...], side: int) -> list[tuple[int, int, int, int]]:
    """(lines saved, side · start, period, times) of every run of equal periods."""
    sizes = [lines(item) for item in items]
    numbers: dict[object, int] = {}
    ids = [-1 - i if key is None else numbers.setdefault(key, len(numbers)) for i, key in enumerate(keys)]
    found = []
    for period in range(1, min(LONGEST_PERIOD, len(ids) // 2) + 1):
        equal = 0
        for at in range(len(ids) - period - 1, -1, -1):
            equal = equal + 1 if ids[at] == ids[at + period] and ids[at] >= 0 else 0
            times = equal // period + 1
            saved = (times - 1) * sum(sizes[at : at + period]) - (1 if period == 1 else 2)
            if times > 1 and saved >= LEAST_SAVING:
                found.append((saved, side * at, period, times))
    return found


def _key(item: Item) -> object:
    """Equal for layers that are said in the same words; None for what can stand in no repeat."""
    if isinstance(item, Repeated):
        inner = tuple(_key(one) for one in item.times[0])
        return None if None in inner else ("repeated", len(item.times), inner)
    if isinstance(item, Use):
        named = item.name is not None or item.source is not None
        return None if named else ("use", item.block, repr(item.arguments))
    branches = tuple((None if b != PREVIOUS else b) if isinstance(b, str) else _keys(b) for b in item.branches)
    if item.name is not None or item.source is not None or None in branches:
        return None
    return item.said.kind, repr(item.said.attributes), branches


def _keys(items: tuple[Item, ...]) -> object:
    keys = tuple(_key(item) for item in items)
    return None if None in keys else keys


def _reads(item: Layer) -> bool:
    """A layer that reads nothing cannot follow itself."""
    return bool(item.node.inputs)


def lines(item: Item) -> int:
    """Lines of text that an item takes."""
    if isinstance(item, Repeated):
        return sum(map(lines, item.times[0])) + (1 if len(item.times[0]) == 1 else 2)
    extra = (item.name is not None) + (item.source is not None)
    if isinstance(item, Use) or in_line(item):
        return extra + 1
    return extra + 1 + sum(1 for branch in item.branches for _ in _inner(branch))


def _inner(branch: object) -> tuple[object, ...]:
    if isinstance(branch, str):
        return ()
    assert isinstance(branch, tuple), "a branch is a name or a list"
    return tuple(range(max(1, sum(map(lines, branch)))))
