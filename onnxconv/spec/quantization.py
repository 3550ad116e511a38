"""What a spec says about computing with integers."""

from __future__ import annotations

import math

from onnxconv.errors import closest
from onnxconv.spec.form import Scope, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.value import Quantization
from onnxconv.spec.vocabulary import QUANTIZATION

__all__ = ["read_quantization"]


def read_quantization(entry: Entry, scope: Scope, mistakes: Mistakes) -> Quantization | None:
    """The key `quantize`: the type of activations alone, or a table. None where it is wrong."""
    node, said = entry.value, mistakes.said
    if not isinstance(node, Table):
        node = Table((Entry("activations", node.where, node),), node.where)
    words = dict(QUANTIZATION)
    found = {name: default for name, (default, *_) in words.items()}
    for one in node.entries:
        if one.key in words:
            found[one.key] = _word(one, words[one.key], mistakes)
        elif one.key != "ranges":
            known = [*words, "ranges"]
            mistakes.add(one.where, "unknown-key", f"quantize has no {one.key!r}", "", closest(one.key, known))
    given = node.get("ranges")
    ranges = () if given is None else _ranges(given.value, scope, mistakes)
    return None if mistakes.said > said else Quantization(**found, ranges=ranges, where=entry.where)


def _word(entry: Entry, words: tuple[str, ...], mistakes: Mistakes) -> str:
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    if text not in words:
        rule = f"{entry.key} is {' or '.join(words)}"
        fix = closest(text, words) if text else f"write {words[0]}"
        mistakes.add(entry.value.where, "quantize", f"{entry.key} is {described(entry.value)}", rule, fix)
    return text


def _ranges(node: Node, scope: Scope, mistakes: Mistakes) -> tuple[tuple[str, float, float], ...]:
    rule = "ranges are a table from the names of tensors to pairs of numbers"
    if not isinstance(node, Table):
        mistakes.add(node.where, "quantize", f"ranges are {described(node)}", rule, "write ranges: {x: [-1, 1]}")
        return ()
    found = []
    for one in node.entries:
        value = work_out(one.value, scope, mistakes) if isinstance(one.value, Items) else None
        numbers = [part.value for part in (value.items() or ())] if value else []
        pair = [float(n) for n in numbers if isinstance(n, int | float) and not isinstance(n, bool)]
        if len(pair) != 2 or len(numbers) != 2 or not all(map(math.isfinite, pair)) or pair[0] > pair[1]:
            what = f"the range of {one.key} is {described(one.value)}"
            mistakes.add(one.value.where, "quantize", what, rule + ", the smaller one first", "write [-1, 1]")
        else:
            found.append((one.key, pair[0], pair[1]))
    return tuple(found)
