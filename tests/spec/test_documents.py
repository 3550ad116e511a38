"""The manual, the committed schema and the shipped specs follow the vocabulary. ONNXCONV_GOLDEN=write renews them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from onnxconv.errors import SpecError
from onnxconv.spec import parse, read, schema
from onnxconv.spec.vocabulary import INITIALISERS, LAYER_KEYS, LAYERS, SPEC_KEYS, Attribute

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "spec.md"
SCHEMA = ROOT / "onnxconv" / "spec" / "schema.json"
SPECS = sorted([*(ROOT / "specs").glob("*.yaml"), *(Path(__file__).parent / "good").glob("*.yaml")])
WRITE = os.environ.get("ONNXCONV_GOLDEN") == "write"


def _default(kind: str, attribute: Attribute) -> str:
    if attribute.required or (kind, attribute.name) == ("conv", "filters"):
        return "must be given" if attribute.required else "must be given, or `multiplier`"
    return "" if attribute.default is None else f"`{json.dumps(attribute.default)}`".replace('"', "")


def _values(attribute: Attribute) -> str:
    least = "" if attribute.least in (None, 0) else f" ≥ {attribute.least}"
    forms = {
        "integer": f"whole number{least}",
        "integers": f"whole number{least}, or one per axis",
        "sizes": f"whole number{least}, or one per axis; or formulas over the inputs' open sizes",
        "number": "number",
        "boolean": "true or false",
        "word": "",
        "pad": "see Padding" if attribute.words else "numbers, see Padding",
        "init": "see Weights",
    }
    words = ", ".join(f"`{word}`" for word in attribute.words) if attribute.type != "init" else ""
    return ", ".join(part for part in (forms[attribute.type], words) if part)


def sections() -> dict[str, str]:
    """The generated parts of the manual by name."""
    kinds = []
    for kind in LAYERS.values():
        bare = f" `- {kind.name}: value` sets `{kind.bare}`." if kind.bare else ""
        kinds.append(f"**`{kind.name}`**: {kind.doc}.{bare}\n")
        if kind.attributes:
            rows = [f"| `{a.name}` | {a.doc} | {_values(a)} | {_default(kind.name, a)} |" for a in kind.attributes]
            kinds.append("\n".join(["| attribute | is | values | default |", "|---|---|---|---|", *rows]) + "\n")
    numbers = [f"| `{name}` | {', '.join(given)} |" for name, given in INITIALISERS.items()]
    return {
        "spec keys": "\n".join(["| key | is |", "|---|---|", *(f"| `{k}` | {d} |" for k, d in SPEC_KEYS.items())]),
        "layer keys": "\n".join(["| key | is |", "|---|---|", *(f"| `{k}` | {d} |" for k, d in LAYER_KEYS.items())]),
        "initialisers": "\n".join(["| initialiser | numbers |", "|---|---|", *numbers]),
        "kinds": "\n".join(kinds).rstrip(),
    }


def filled(text: str, parts: dict[str, str]) -> str:
    """The manual with its generated parts put in."""
    for name, part in parts.items():
        text, count = re.subn(
            f"<!-- {name} -->\n.*?<!-- end -->",
            lambda _, n=name, p=part: f"<!-- {n} -->\n{p}\n<!-- end -->",
            text,
            flags=re.DOTALL,
        )  # type: ignore[misc]
        assert count == 1, name
    return text


def test_the_manual_is_in_step() -> None:
    text = MANUAL.read_text("utf-8")
    if WRITE:
        MANUAL.write_text(filled(text, sections()), "utf-8")
    assert MANUAL.read_text("utf-8") == filled(text, sections())


def test_the_manuals_examples_are_specs() -> None:
    head = "inputs:\n  x: float32[N, 64, 56, 56]\nlayers:\n"
    early = "  - conv: {filters: 64, kernel: 3, pad: same}\n    name: early\n"
    blocks = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) == 9
    conv_bn = next(block for block in blocks if block.startswith("blocks:")).split("layers:\n  - conv_bn")[0]
    for block in blocks:
        if block.startswith("quantize:"):
            assert parse(head + early + block).quantization is not None
        elif block.startswith("blocks:"):
            parse("inputs:\n  x: float32[N, 64, 56, 56]\n" + block)
        elif "inputs:" in block:
            assert len(parse(block).layers) == 6
        else:
            parse(conv_bn + head + ("" if "name: early" in block else early) + block)


def test_the_committed_schema_is_in_step() -> None:
    text = json.dumps(schema(), indent=1) + "\n"
    if WRITE:
        SCHEMA.write_text(text, "utf-8")
    assert SCHEMA.read_text("utf-8") == text


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_satisfy_the_schema(path: Path) -> None:
    data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    Draft202012Validator(schema()).validate(data)
    assert read(path).layers


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_specs_name_their_schema(path: Path) -> None:
    first = path.read_text("utf-8").split("\n", 1)[0]
    assert first == "# yaml-language-server: $schema=../onnxconv/spec/schema.json"


SAME_VERDICT = [
    ("[relu]", True),
    ("[{conv: {filters: 8, kernel: 3}}]", True),
    ("[{conv: {filters: 2 * 4, kernel: [3, 3], pad: [[1, 2], 1]}, name: a, repeat: 2}]", True),
    ("[{conv: {filters: 8, kernel: 3, pad: {output: 56}}}]", True),
    ("[{add: [[relu], [], x]}]", True),
    ("[{max_pool: 2}, {dense: {features: 3}}]", True),
    ("[]", False),
    ("[3]", False),
    ("[{conv: {filters: 8}}]", False),
    ("[{conv: {filters: 8, kernel: 0}}]", False),
    ("[{conv: {filters: 8, kernel: 3, padding: 1}}]", False),
    ("[{conv: {filters: 8, kernel: 3, pad: [[1, 2, 3]]}}]", False),
    ("[{conv: {filters: 8, kernel: 3, bias: 3}}]", False),
    ("[{concat: []}]", False),
    ("[{dense: }]", False),
    ("[max_pool]", False),
    ("[{relu: 3}]", False),
    ("[{relu: , repeat: {i: 1, j: 2}}]", False),
]


@pytest.mark.parametrize(("layers", "good"), SAME_VERDICT)
def test_schema_and_parser_agree(layers: str, good: bool) -> None:
    text = f"inputs: {{x: 'float32[N, 8, 56, 56]'}}\nlayers: {layers}"
    assert Draft202012Validator(schema()).is_valid(YAML(typ="safe", pure=True).load(text)) == good
    if good:
        parse(text)
    else:
        with pytest.raises(SpecError):
            parse(text)
