"""What parameters, blocks, layers and inputs may be called."""

from __future__ import annotations

import re

from onnxconv.errors import Where
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Node, Scalar, described
from onnxconv.spec.vocabulary import RESERVED

__all__ = ["is_identifier", "parameter_name", "tensor_name"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TENSOR = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./:+-]*\Z")
LONGEST_NAME = 200


def is_identifier(text: str) -> bool:
    """Letters, digits and _, no digit first."""
    return _IDENTIFIER.match(text) is not None


def parameter_name(key: str, where: Where, what: str, mistakes: Mistakes) -> bool:
    """Whether the key may name a parameter, a loop variable or a block."""
    if key in RESERVED:
        mistakes.add(
            where,
            "reserved",
            f"{what} is called {key!r}",
            f"{key!r} is a word of the language",
            f"call it {key}_ or anything else",
        )
    elif not _IDENTIFIER.match(key) or len(key) > LONGEST_NAME:
        mistakes.add(
            where,
            "name",
            f"{what} is called {key[:40]!r}",
            "a name has letters (a-z, A-Z), digits and _, and does not begin with a digit",
            "rename it",
        )
    else:
        return True
    return False


def tensor_name(node: Node, what: str, mistakes: Mistakes) -> str | None:
    """The node's text where it may name a layer, an input or the network."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        fix = f'put quotes around it: "{node.text}"' if isinstance(node, Scalar) and node.text else "write a name"
        mistakes.add(node.where, "name", f"{what} is {described(node)}", f"{what} is a text", fix)
    elif node.value == "previous" or not _TENSOR.match(node.value) or len(node.value) > LONGEST_NAME:
        rule = (
            f"a name has letters (a-z, A-Z), digits and _ . / : + -, at most {LONGEST_NAME}; it does not begin with "
            "one of . : + -, and is not 'previous'"
        )
        mistakes.add(node.where, "name", f"{what} is {node.value[:40]!r}", rule, "rename it")
    else:
        return node.value
    return None
