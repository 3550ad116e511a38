"""What is done to generated C: what passes between layers shares static memory, and weights stand close together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["close_together", "in_static_memory"]

ENTRY = "\nvoid model("
DECLARED = re.compile(r"^    (\w+) (\w+)((?:\[\d+\])+);$")
WIDTH = 110
"""Characters after which a line of numbers ends, at the next comma."""


@dataclass(slots=True)
class Slot:
    """Tensors that are never needed at the same time, as the members of a union; `until`: the last line that needs the last."""

    size: int = 0
    until: int = -1
    members: list[str] = field(default_factory=list)


def in_static_memory(source: str, sizes: Mapping[str, int]) -> tuple[str, int]:
    """The source with a static union for each slot in place of arrays on the stack, and their bytes together.

    `sizes`: bytes of each type. Tensors go to slots in the order in which they are made, each to the one that is nearest in
    size among those that nobody needs any more.
    """
    head, entry, body = source.partition(ENTRY)
    lines = body.split("\n")
    arrays = {found[2]: found for line in lines if (found := DECLARED.match(line)) and found[1] in sizes}
    calls = [(n, line) for n, line in enumerate(lines) if not DECLARED.match(line)]
    needed: dict[str, list[int]] = {}
    for n, line in calls:
        for name in re.findall(r"\w+", line):
            if name in arrays:
                needed.setdefault(name, []).append(n)
    slots: list[Slot] = []
    placed: dict[str, str] = {}
    for name, at in needed.items():
        size = sizes[arrays[name][1]] * math.prod(map(int, re.findall(r"\d+", arrays[name][3])))
        free = [slot for slot in slots if slot.until < at[0]]
        slot = min(free, key=lambda slot: abs(slot.size - size)) if free else Slot()
        if not free:
            slots.append(slot)
        slot.size, slot.until = max(slot.size, size), at[-1]
        slot.members.append(f"{arrays[name][1]} {name}{arrays[name][3]};")
        placed[name] = f"slot{slots.index(slot)}.{name}"
    unions = [f"    static union {{ {' '.join(slot.members)} }} slot{n};" for n, slot in enumerate(slots)]
    rest = [re.sub(r"\w+", lambda word: placed.get(word[0], word[0]), line) for _, line in calls]
    return head + entry + "\n".join([rest[0], *unions, *rest[1:]]), sum(slot.size for slot in slots)


def close_together(source: str) -> str:
    """The source with the white space inside of initialisers left out, but for a line break now and then."""
    return "".join(_pieces(source))


def _pieces(source: str) -> Iterator[str]:
    at = 0
    while (begin := source.find(" = {\n", at)) >= 0 and (end := source.find("\n};", begin)) >= 0:
        yield source[at : begin + 5]
        numbers = "".join(source[begin + 5 : end].split())
        start = 0
        while (comma := numbers.find(",", start + WIDTH)) >= 0:
            yield numbers[start : comma + 1] + "\n"
            start = comma + 1
        yield numbers[start:]
        at = end
    yield source[at:]
