"""Sizes of a shape: numbers, parameters, and formulas over the sizes that the inputs leave open."""

from __future__ import annotations

from onnxconv.geometry import evaluated, is_formula, names
from onnxconv.spec.form import Scope, free_names, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Items, Node, Scalar
from onnxconv.spec.value import Value

__all__ = ["sizes"]


def sizes(node: Node, scope: Scope, mistakes: Mistakes) -> Value | None:
    """One size or a list of them; None where one is neither a number nor a formula. Whether the names in it are known is not asked."""
    if not isinstance(node, Items):
        return _size(node, scope, mistakes)
    found = [_size(item, scope, mistakes) for item in node.items]
    return None if None in found else Value(tuple(one for one in found if one is not None), node.where)


def _size(node: Node, scope: Scope, mistakes: Mistakes) -> Value | None:
    if not isinstance(node, Scalar) or not free_names(node) - scope.keys():
        return work_out(node, scope, mistakes)
    if not is_formula(node.text):
        rule = "a size is a number, or a formula such as N, 4*H or (H+1)//2"
        mistakes.add(node.where, "size", f"the size {node.text!r} is no formula", rule, "write sums, products and //")
        return None
    known = {name: scope[name].value for name in names(node.text) & scope.keys()}
    return Value(evaluated(node.text, {name: n for name, n in known.items() if isinstance(n, int)}), node.where)
