"""Layers of the same form said once, as a block with a parameter for each number in which its uses differ.

A block is made only where the whole text becomes shorter by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxconv.spec import LAYERS
from onnxconv.specify.items import PREVIOUS, Block, Item, Layer, Parameter, Repeated, Use
from onnxconv.specify.repeats import lines, repeated
from onnxconv.specify.writers import Said

__all__ = ["blocked"]

LONGEST_BLOCK = 24
"""Entries of a block's list of layers."""
MOST_PARAMETERS = 6
MOST_BLOCKS = 6
TRIED = 8
"""Forms that are tried out for each block, those first that seem to save most."""
LEAST_SAVING = 3
"""Lines that a block has to save."""
LARGE = 1200
"""Layers of a list above which no blocks are looked for: finding them takes the square of it."""

Window = tuple[Item, ...]
Form = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Spec:
    """All lists of layers: those of the network, and those of the blocks so far."""

    items: tuple[Item, ...]
    blocks: tuple[Block, ...] = ()

    def lists(self) -> Iterator[tuple[Item, ...]]:
        for items in (self.items, *(block.body for block in self.blocks)):
            yield from _lists(items)

    def tidy(self) -> _Spec:
        """The same with repeats said once."""
        return _Spec(repeated(self.items), tuple(replace(b, body=repeated(b.body)) for b in self.blocks))

    def lines(self) -> int:
        heads = sum(3 if block.parameters else 1 for block in self.blocks) + (1 if self.blocks else 0)
        return heads + sum(lines(i) for i in self.items) + sum(lines(i) for b in self.blocks for i in b.body)


def blocked(items: tuple[Item, ...]) -> tuple[tuple[Item, ...], tuple[Block, ...]]:
    """The items with blocks and repeats, and the blocks."""
    spec = _Spec(items)
    best = spec.tidy()
    for _ in range(MOST_BLOCKS if len(items) <= LARGE else 0):
        tried = [_with_block(spec, form, windows) for form, windows in _promising(spec)]
        shorter = [(one.tidy(), one) for one in tried if one is not None]
        if not shorter:
            break
        found, raw = min(shorter, key=lambda pair: pair[0].lines())
        if found.lines() > best.lines() - LEAST_SAVING:
            break
        best, spec = found, raw
    return best.items, best.blocks


def _lists(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """The list itself, and all those inside of it."""
    yield items
    for item in items:
        for branch in item.branches if isinstance(item, Layer) else ():
            if not isinstance(branch, str):
                yield from _lists(branch)


# Forms


def _promising(spec: _Spec) -> list[tuple[Form, list[Window]]]:
    """Forms of more than one window, with these, that seem to save most lines."""
    found: dict[Form, list[Window]] = {}
    for items in spec.lists():
        forms = [_form(item) for item in items]
        free: dict[Form, int] = {}
        for start in range(len(items)):
            for stop in range(start + 1, min(len(items), start + LONGEST_BLOCK) + 1):
                form = _window_form(items[start:stop], forms[start:stop])
                if form is None:
                    break
                if free.get(form, 0) <= start:
                    found.setdefault(form, []).append(items[start:stop])
                    free[form] = stop
    saved = {
        form: (len(windows) - 1) * sum(map(lines, windows[0])) - len(windows) - 3
        for form, windows in found.items()
        if len(windows) > 1
    }
    best = sorted((form for form in saved if saved[form] >= LEAST_SAVING), key=lambda form: -saved[form])
    return [(form, found[form]) for form in best[:TRIED]]


def _window_form(window: Window, forms: list[Form | None]) -> Form | None:
    """The form of a window; None where it cannot be a block: only its end may be named, only its start may read by name."""
    inner = [forms[i] if _open(item, i == 0, i == len(window) - 1) else None for i, item in enumerate(window)]
    return None if None in inner else tuple(inner)


def _open(item: Item, first: bool, last: bool) -> bool:
    assert not isinstance(item, Repeated), "repeats are looked for afterwards"
    reads = not isinstance(item, Layer) or bool(item.node.inputs)
    return reads and (item.source is None or first) and (item.name is None or last)


def _within(item: Item) -> bool:
    """A branch has no names; it may be a constant."""
    assert not isinstance(item, Repeated), "repeats are looked for afterwards"
    return item.source is None and item.name is None


def _form(item: Item) -> Form | None:
    """Equal for items that differ in values alone; None for what reads by name."""
    if isinstance(item, Use):
        return "use", item.block
    assert isinstance(item, Layer), "repeats are looked for afterwards"
    branches: list[object] = []
    for branch in item.branches:
        if isinstance(branch, str):
            branches.append(branch if branch == PREVIOUS else None)
            continue
        inner = tuple(_form(one) if _within(one) else None for one in branch)
        branches.append(None if None in inner else inner)
    if None in branches or item.kept:
        return None
    defaults = {a.name: a.default for a in LAYERS[item.said.kind].attributes}
    without = tuple(name for name, _ in item.said.attributes if defaults[name] is None)
    formulas = tuple(str(value) for _, value in item.said.attributes if isinstance(value, list) and _has_words(value))
    return item.said.kind, without, formulas, tuple(branches)


def _has_words(values: list[Any]) -> bool:
    """Open sizes are no values that a block's parameter could have."""
    return any(isinstance(value, str) for value in values)


# Values


def _values(items: tuple[Item, ...]) -> Iterator[tuple[str, Any]]:
    """Every attribute with its value, written or by default, in an order that is the same for items of one form."""
    for item in items:
        if isinstance(item, Use):
            yield from item.arguments
            continue
        assert isinstance(item, Layer), "repeats are looked for afterwards"
        written = dict(item.said.attributes)
        for attribute in LAYERS[item.said.kind].attributes:
            value = written.get(attribute.name, attribute.default)
            if value is not None:
                yield attribute.name, value
        for branch in item.branches:
            if not isinstance(branch, str):
                yield from _values(branch)


def _filled(items: tuple[Item, ...], values: Iterator[Any]) -> tuple[Item, ...]:
    """The items with other values, in the order of `_values`."""
    return tuple(_filled_item(item, values) for item in items)


def _filled_item(item: Item, values: Iterator[Any]) -> Item:
    if isinstance(item, Use):
        return replace(item, arguments=tuple((name, next(values)) for name, _ in item.arguments))
    assert isinstance(item, Layer), "repeats are looked for afterwards"
    written, attributes = dict(item.said.attributes), []
    for attribute in LAYERS[item.said.kind].attributes:
        if written.get(attribute.name, attribute.default) is not None:
            value = next(values)
            if value != attribute.default or isinstance(value, bool) != isinstance(attribute.default, bool):
                attributes.append((attribute.name, value))
    said = Said(item.said.kind, tuple(attributes))
    return replace(
        item, said=said, branches=tuple(b if isinstance(b, str) else _filled(b, values) for b in item.branches)
    )


# Blocks


def _with_block(spec: _Spec, form: Form, windows: list[Window]) -> _Spec | None:
    """All windows of a form replaced by uses of a new block; None where it would have too many parameters."""
    rows = [tuple(_values(window)) for window in windows]
    columns = [tuple(row[i][1] for row in rows) for i in range(len(rows[0]))]
    labels = [label for label, _ in rows[0]]
    called: dict[str, str] = {}
    for label, column in zip(labels, columns, strict=True):
        if any(value != column[0] or isinstance(value, Parameter) for value in column):
            called.setdefault(repr(column), _parameter(label, {*called.values()}))
    if len(called) > MOST_PARAMETERS:
        return None
    body = _filled(
        _bare(windows[0]), iter([Parameter(called[repr(c)]) if repr(c) in called else c[0] for c in columns])
    )
    defaults = {called[repr(c)]: value for c in columns if repr(c) in called and (value := _usual(c)) is not None}
    parameters = tuple(sorted(called.values(), key=lambda name: name in defaults))
    block = Block(_name(windows[0], spec), parameters, defaults, body)

    def use(window: Window) -> Use:
        values = {called[repr(c)]: v for c, (_, v) in zip(columns, _values(window), strict=True) if repr(c) in called}
        first, last = window[0], window[-1]
        assert not isinstance(first, Repeated) and not isinstance(last, Repeated), "repeats come afterwards"  # noqa: PT018
        return Use(block.name, tuple((p, values[p]) for p in parameters), _bare(window), first.source, last.name)

    def replaced(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return _replaced(items, form, use)

    blocks = tuple(replace(old, body=replaced(old.body)) for old in spec.blocks)
    return _Spec(replaced(spec.items), (block, *blocks))


def _parameter(label: str, taken: set[str]) -> str:
    """A name that no other parameter and no word of the language has."""
    name, count = f"{label}_" if label in ("min", "max") else label, 2
    while name in taken:
        name, count = f"{label}{count}", count + 1
    return name


def _usual(column: tuple[Any, ...]) -> Any:
    """The value that more than half of the uses have, if there is one."""
    counts = Counter(repr(value) for value in column if not isinstance(value, Parameter))
    if not counts or 2 * counts.most_common(1)[0][1] <= len(column):
        return None
    return next(value for value in column if repr(value) == counts.most_common(1)[0][0])


def _bare(window: Window) -> Window:
    """Without what the use of a block says in its place."""
    last = len(window) - 1
    return tuple(
        replace(item, source=None if i == 0 else item.source, name=None if i == last else item.name)
        for i, item in enumerate(window)
        if not isinstance(item, Repeated)
    )


def _replaced(items: tuple[Item, ...], form: Form, use: Callable[[Window], Use]) -> tuple[Item, ...]:
    """A list with every window of the form, from the left, replaced by a use; the lists inside of it first."""
    forms, found, at = [_form(item) for item in items], list[Item](), 0
    while at < len(items):
        window = items[at : at + len(form)]
        if len(window) == len(form) and _window_form(window, forms[at : at + len(form)]) == form:
            found.append(use(window))
            at += len(form)
        else:
            found.append(_inside(items[at], form, use))
            at += 1
    return tuple(found)


def _inside(item: Item, form: Form, use: Callable[[Window], Use]) -> Item:
    if not isinstance(item, Layer):
        return item
    branches = tuple(b if isinstance(b, str) else _replaced(b, form, use) for b in item.branches)
    return replace(item, branches=branches)


def _name(window: Window, spec: _Spec) -> str:
    """What it is called: after its kinds where they are few, else a unit."""
    kinds = [
        item.said.kind if isinstance(item, Layer) else item.block for item in window if not isinstance(item, Repeated)
    ]
    short = len(kinds) <= 3 and not any(isinstance(item, Layer) and item.branches for item in window)
    first = "_".join(kinds) if short and len("_".join(kinds)) <= 32 else "unit"
    taken: Mapping[str, object] = {**LAYERS, "layers": None, **{block.name: None for block in spec.blocks}}
    name, count = first if len(kinds) > 1 or first == "unit" else f"{first}_unit", 2
    while name in taken:
        name, count = f"{first}{count}", count + 1
    return name
