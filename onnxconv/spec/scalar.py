"""Plain YAML scalars by the core schema of YAML 1.2, and the spellings that YAML 1.1 read otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Surprise", "resolve", "surprise"]


@dataclass(frozen=True, slots=True)
class Surprise:
    """A spelling that YAML 1.1 read otherwise: how, what to write, and a value to go on with."""

    rule: str
    fix: str
    value: bool | int


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_RADIX = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_NULL = ("", "~", "null", "Null", "NULL")
_BOOLEAN = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}

_OTHER_BOOLEAN = {
    form(word): "true" if word in ("yes", "on") else "false"
    for word in ("yes", "no", "on", "off")
    for form in (str.lower, str.capitalize, str.upper)
}
_OCTAL = re.compile(r"[-+]?0[0-9]+\Z")
_BINARY = re.compile(r"[-+]?0b[01_]+\Z")
_UNDERSCORED = re.compile(r"(?=.*_)[-+]?([0-9][0-9_]*(\.[0-9_]*)?|0x[0-9a-fA-F_]+)\Z")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")
_LONGEST_NUMBER = 400
"""Characters of a number; beyond that Python itself refuses to convert some."""


@lru_cache(maxsize=1024)
def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain (unquoted) scalar (YAML 1.2.2, section 10.3.2)."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _RADIX.match(text):
        return int(text, 0)
    if _FLOAT.match(text) or _INFINITE.match(text):
        return float(
            text.replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".INF", "inf")
            .replace(".n", "n")
            .replace(".N", "n")
        )
    return text


@lru_cache(maxsize=1024)
def surprise(text: str) -> Surprise | None:
    """What a plain scalar was in YAML 1.1, or None if both versions agree."""
    if text in _OTHER_BOOLEAN:
        word = _OTHER_BOOLEAN[text]
        return Surprise(f"YAML 1.1 reads {text} as {word}", f'write {word}, or "{text}" for the word', word == "true")
    if len(text) > _LONGEST_NUMBER:
        return None
    if _OCTAL.match(text):
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text.lstrip("+"))
        octal = set(digits) <= set("01234567")
        other = f", or {sign}0o{digits.lstrip('0') or '0'} for octal" if octal else ""
        return Surprise(f"YAML 1.1 reads {text} as octal", f"write {int(text)}{other}", int(text))
    if _BINARY.match(text):
        return Surprise(f"YAML 1.1 reads {text} as binary", "write it as a decimal number", 1)
    if _UNDERSCORED.match(text):
        return Surprise(f"YAML 1.1 reads {text} as a number, 1.2 as text", f"write {text.replace('_', '')}", 1)
    if _SEXAGESIMAL.match(text):
        return Surprise(f"YAML 1.1 reads {text} in base 60", f'write a decimal number, or "{text}" for the text', 1)
    return None
