"""Text to a positioned tree: YAML 1.2 without aliases, anchors, tags, duplicate keys and YAML 1.1 surprises; JSON alike."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import yaml

from onnxconv.errors import Where
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table
from onnxconv.spec.scalar import resolve, surprise

__all__ = ["DEEPEST", "LARGEST", "read_text"]

LARGEST = 1 << 20
"""Characters in one spec."""
DEEPEST = 64
"""Lists and tables inside one another."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""Not printable; or a line break to YAML 1.1 alone; or a mark of byte order, which YAML drops."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A string of JSON."""
_ESCAPE = re.compile(r"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|.)")
"""An escape in it, or two for one character beyond U+FFFF."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INDENT_TAB = re.compile(r"^ *\t[ \t]*(?=[^\s#])", re.MULTILINE)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where the package brings it along: the same in Python takes twenty times as long."""


def read_text(text: str, file: str, mistakes: Mistakes, *, strict_json: bool = False) -> Node | None:
    """The tree of the document, or None where it cannot be read to its end; what is wrong goes to `mistakes`."""
    text = text.removeprefix("\ufeff")
    if len(text) > LARGEST:
        mistakes.add(
            Where(file),
            "size",
            f"the spec has {len(text)} characters",
            f"at most {LARGEST} are read",
            "use blocks and repeat, or several specs",
        )
        return None
    control = _CONTROL.search(text)
    if control:
        where = _where(file, text, control.start())
        mistakes.add(
            where,
            "control-character",
            f"the character U+{ord(control[0]):04X}",
            "a spec is printable text",
            "remove it",
        )
        return None
    if strict_json:
        return _Reader(file, text, mistakes).read(_as_yaml(text)) if _is_json(text, file, mistakes) else None
    if text.lstrip()[:1] == "{":
        text = text.replace("\t", " ")  # JSON may indent by tabs; raw tabs are illegal inside its strings
        if "\\u" in text and _is_json(text, file, Mistakes()):
            text = _paired(text)
    tabs = list(_INDENT_TAB.finditer(text))
    for tab in tabs:
        where = _where(file, text, tab.start() + tab[0].index("\t"))
        mistakes.add(where, "tab", "a tab in the indentation", "YAML indents by spaces", "write spaces")
    return None if tabs else _Reader(file, text, mistakes).read(text)


def _as_yaml(text: str) -> str:
    """JSON as YAML reads it too: in JSON line breaks and tabs stand between tokens only, where YAML minds them."""
    return _paired(re.sub(r"[\t\r\n]", " ", text))


def _paired(text: str) -> str:
    """JSON with characters beyond U+FFFF instead of two escapes for each, and blanks after the string for what it is shorter."""

    def character(escape: re.Match[str]) -> str:
        return str(json.loads(f'"{escape[0]}"')) if escape[1] else escape[0]

    return _QUOTED.sub(lambda quoted: _ESCAPE.sub(character, quoted[0]).ljust(len(quoted[0])), text)


def _where(file: str, text: str, offset: int) -> Where:
    return Where(file, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _is_json(text: str, file: str, mistakes: Mistakes) -> bool:
    def refuse(word: str) -> None:
        raise json.JSONDecodeError(f"{word} is no number in JSON", text, max(0, text.find(word)))

    rule, fix = "a .json file is read as JSON (RFC 8259)", "correct it, or name the file .yaml"
    try:
        json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        where = Where(file, error.lineno, error.colno)
        mistakes.add(where, "json", f"this is no JSON: {error.msg}", rule, fix)
    except ValueError as error:
        mistakes.add(Where(file, 1, 1), "json", f"this is no JSON: {error}", rule, "use smaller numbers")
    except RecursionError:
        mistakes.add(
            Where(file, 1, 1),
            "depth",
            "lists and objects nested far too deep",
            f"at most {DEEPEST} are read",
            "use blocks",
        )
    else:
        return True
    return False


@dataclass(slots=True)
class _Open:
    """A list or table whose end has not been seen."""

    where: Where
    table: bool
    items: list[Node] = field(default_factory=list)
    keys: list[tuple[str, Where]] = field(default_factory=list)
    awaiting_value: bool = False


class _UnreadableError(Exception):
    """Reading cannot go on."""


class _Reader:
    """Builds the tree from the parser's events, so that depth is bounded and aliases are never followed."""

    def __init__(self, file: str, text: str, mistakes: Mistakes) -> None:
        self._file, self._mistakes = file, mistakes
        self._breaks = [at for at, c in enumerate(text) if c == "\n"]
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0

    def read(self, text: str) -> Node | None:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except _UnreadableError:
            return None
        except yaml.MarkedYAMLError as error:
            self._syntax(error, text)
            return None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            what, rule = f"this is no YAML: {error}", "a spec is YAML 1.2 or JSON"
            self._mistakes.add(Where(self._file, 1, 1), "yaml", what, rule, "check the quotes and escapes")
            return None
        return self._root

    def _syntax(self, error: Any, text: str) -> None:
        mark = error.problem_mark or error.context_mark
        where = self._at(mark.index) if mark else Where(self._file, 1, 1)
        problem, there = error.problem or "a syntax error", text[mark.index : mark.index + 1] if mark else ""
        fix = "check the indentation, the colons and the brackets here"
        if "Unicode character escape" in problem:
            fix = "write the character itself"
        elif problem.startswith("found character that") and there:
            problem = problem.replace("character that", f"the character {there!r}, which")
            fix = "put quotes around a text that begins with this character" if there in "@`%" else fix
        elif "flow mapping" in str(error.context) and there == "[":
            fix = 'inside braces, put quotes around a text with brackets, such as {x: "float32[N, 3, 224, 224]"}'
        what = f"{problem}{', ' + error.context if error.context else ''}"
        self._mistakes.add(where, "yaml", what, "a spec is YAML 1.2 or JSON", fix)

    def _at(self, offset: int) -> Where:
        line = bisect_left(self._breaks, offset)
        return Where(self._file, line + 1, offset - (self._breaks[line - 1] if line else -1))

    def _take(self, event: Any) -> None:
        where = self._at(event.start_mark.index)
        match type(event).__name__:
            case "DocumentStartEvent":
                self._document(event, where)
            case "AliasEvent":
                self._refuse_reference(where, f"the alias *{event.anchor}")
                self._put(Scalar(None, "", where), where)
            case "ScalarEvent":
                self._decorated(event, where)
                self._put(self._scalar(event, where), where)
            case "SequenceStartEvent" | "MappingStartEvent" as kind:
                self._decorated(event, where)
                self._begin(where, table=kind == "MappingStartEvent")
            case "SequenceEndEvent" | "MappingEndEvent":
                self._end()

    def _document(self, event: Any, where: Where) -> None:
        self._documents += 1
        if self._documents > 1:
            self._mistakes.add(
                where,
                "documents",
                "a second document begins here",
                "a file holds one spec",
                "put it in a file of its own",
            )
            raise _UnreadableError
        if event.version not in (None, (1, 2)) or event.tags:
            self._mistakes.add(
                where, "directive", "a %YAML or %TAG directive", "a spec is read as YAML 1.2 without tags", "remove it"
            )

    def _refuse_reference(self, where: Where, what: str) -> None:
        self._mistakes.add(
            where,
            "alias",
            what,
            "anchors and aliases are not read: they hide what is repeated",
            "use a block with parameters, or repeat",
        )

    def _decorated(self, event: Any, where: Where) -> None:
        if event.anchor:
            self._refuse_reference(where, f"the anchor &{event.anchor}")
        if event.tag:
            self._mistakes.add(
                where,
                "tag",
                f"the tag {event.tag}",
                "a spec has no tags: types follow from the attributes",
                "remove it",
            )

    def _scalar(self, event: Any, where: Where) -> Scalar:
        if event.style:
            if _SURROGATE.search(event.value):
                rule, fix = "a spec is valid Unicode", "write the character itself"
                self._mistakes.add(where, "control-character", "half of a surrogate pair", rule, fix)
            return Scalar(event.value, event.value, where)
        other = surprise(event.value)
        if other:
            self._mistakes.add(where, "yaml-1.1", event.value, other.rule, other.fix)
            return Scalar(other.value, event.value, where)
        return Scalar(resolve(event.value), event.value, where)

    def _begin(self, where: Where, *, table: bool) -> None:
        if len(self._stack) >= DEEPEST:
            self._mistakes.add(
                where,
                "depth",
                f"lists and tables nested {len(self._stack) + 1} deep",
                f"at most {DEEPEST} are read",
                "move the inner layers to a block",
            )
            raise _UnreadableError
        if self._stack and self._stack[-1].table and not self._stack[-1].awaiting_value:
            self._mistakes.add(
                where,
                "key",
                "a list or table as a key",
                "a key is a word",
                "check for braces too many, or a missing colon",
            )
            raise _UnreadableError
        self._stack.append(_Open(where, table))

    def _end(self) -> None:
        done = self._stack.pop()
        if not done.table:
            self._put(Items(tuple(done.items), done.where), done.where)
            return
        seen: dict[str, Entry] = {}
        for (key, where), value in zip(done.keys, done.items, strict=True):
            if key in seen:
                first = seen[key].where
                self._mistakes.add(
                    where,
                    "duplicate-key",
                    f"the key {key!r} a second time",
                    f"it is at line {first.line}, column {first.column} already",
                    "remove one of them",
                )
            else:
                seen[key] = Entry(key, where, value)
        self._put(Table(tuple(seen.values()), done.where), done.where)

    def _put(self, node: Node, where: Where) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        if top.table and not top.awaiting_value:
            assert isinstance(node, Scalar), "keys are scalars: others were refused"
            top.keys.append((node.text, where))
            top.awaiting_value = True
            return
        if top.table:
            top.awaiting_value = False
            if isinstance(node, Scalar) and node.value is None and not node.text:
                node = Scalar(None, "", top.keys[-1][1])
        top.items.append(node)
