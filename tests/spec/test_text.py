"""Documents read as another reader of YAML 1.2 reads them, every scalar and every place."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode
from spec.test_mutations import GOOD, damaged

import onnxconv.spec.text as text_module
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Items, Node, Scalar
from onnxconv.spec.text import read_text

Tree = tuple[Any, ...]

LOADERS = [
    pytest.param(
        getattr(yaml, "CSafeLoader", None),
        marks=pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="PyYAML came without libyaml"),
        id="libyaml",
    ),
    pytest.param(yaml.SafeLoader, id="pure"),
]


def found(node: Node) -> Tree:
    match node:
        case Scalar(_, text, where):
            return "scalar", text, where.line, where.column
        case Items(items, where):
            return "list", where.line, where.column, *(found(item) for item in items)
        case _:
            pairs = ((("scalar", e.key, e.where.line, e.where.column), found(e.value)) for e in node.entries)
            return "table", node.where.line, node.where.column, *pairs


def expected(node: Any) -> Tree:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, ScalarNode):
        return "scalar", node.value, line, column
    if not isinstance(node, MappingNode):
        return "list", line, column, *(expected(item) for item in node.value)
    pairs = []
    for key, value in node.value:
        left, right = expected(key), expected(value)
        if right[:2] == ("scalar", "") and value.style is None:  # nothing is at its key
            right = (*right[:2], *left[2:])
        pairs.append((left, right))
    return "table", line, column, *pairs


def read(text: str, file: str = "a.yaml") -> tuple[Tree | None, Mistakes]:
    mistakes = Mistakes()
    tree = read_text(text, file, mistakes, strict_json=file.endswith(".json"))
    return (None if tree is None else found(tree)), mistakes


def composed(text: str) -> Tree:
    return expected(YAML(typ="safe", pure=True).compose(text))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_specs(path: Any, loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With libyaml, and where the package came without it."""
    monkeypatch.setattr(text_module, "_LOADER", loader)
    text = path.read_text("utf-8")
    tree, mistakes = read(text)
    assert not len(mistakes)
    assert tree == composed(text)


def test_damaged_specs() -> None:
    """What is read is what the other reads; what the other cannot read is refused."""
    rng, alike, refused = random.Random(7), 0, 0
    for _ in range(400):
        text = damaged(rng.choice(GOOD).read_text("utf-8"), rng)
        tree, mistakes = read(text)
        try:
            other = composed(text)
        except (YAMLError, ValueError, AssertionError, AttributeError):
            assert len(mistakes), text
            refused += 1
            continue
        if not len(mistakes):
            assert tree == other, text
            alike += 1
    assert alike > 50
    assert refused > 50


words = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"), max_size=12
)
values = st.recursive(
    words | st.integers(-999, 999) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    """In whatever way it is written: escapes, two of them for one character, and blanks."""

    def plain(node: Node) -> Any:
        match node:
            case Scalar(value, _, _):
                return value
            case Items(items, _):
                return [plain(item) for item in items]
            case _:
                return {entry.key: plain(entry.value) for entry in node.entries}

    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    mistakes = Mistakes()
    node = read_text(text, "a.json", mistakes, strict_json=True)
    assert node is not None
    assert not len(mistakes)
    assert plain(node) == value


def test_places_behind_two_escapes_for_one_character() -> None:
    text = r'{"a": "\\ud83d", "\ud83d\ude00\\\ud83d\ude01": ["\ud83d\ude00", 7], "\\": 1}'
    tree, mistakes = read(text, "a.json")
    assert not len(mistakes)
    assert tree is not None
    (_, first), (key, (*_, face, seven)), (last, _) = tree[3:]
    assert first[1] == r"\ud83d"
    assert key == ("scalar", "\U0001f600\\\U0001f601", 1, text.index(r'"\ud83d\ude00\\') + 1)
    assert face == ("scalar", "\U0001f600", 1, text.index("[") + 2)
    assert seven == ("scalar", "7", 1, text.index("7") + 1)
    assert last[1] == "\\"


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\ufeff"])
def test_what_is_not_seen_is_refused(character: str) -> None:
    for text in (f"a: b{character}c", f'{{"a": "b{character}c"}}'):
        tree, mistakes = read(text)
        assert tree is None
        assert [(d.code, str(d.where)) for d in mistakes.found()] == [
            ("control-character", f"a.yaml:1:{text.index(character) + 1}")
        ]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud83d"}',
        'a: "\\ud83d"',
        'a: "\\ud83d\\ude00"',
        '{a: \'it"s\', b: "\\ud83d\\ude00"}',
        '{a: "\\Ud83d\\Ude00"}',
        'a: "\\UFFFFFFFF"',
        'a: "\\U00110000"',
        "%YAML 1." + "9" * 5000 + "\n---\na: 1",
    ],
)
def test_escapes_of_no_character_are_refused(text: str, loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_LOADER", loader)
    _, mistakes = read(text)
    assert len(mistakes)


def test_what_looks_like_an_escape_outside_of_json_stays_as_it_is() -> None:
    tree, mistakes = read("{a: 'say \"\\ud83d\\ude00\"'}")
    assert not len(mistakes)
    assert tree is not None
    assert tree[3][1][1] == 'say "\\ud83d\\ude00"'


def test_many_quotes_are_read_at_once() -> None:
    """A spec as long as may be, of strings that are never closed: searching for their ends again and again takes hours."""
    _, mistakes = read("{" + '\\"' * 500_000)
    assert len(mistakes)
