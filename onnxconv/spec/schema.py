"""The spec language as a JSON Schema (draft 2020-12), made from the vocabulary, for editors' completion and checks."""

from __future__ import annotations

from typing import TypeAlias

from onnxconv.dtypes import FLOATS
from onnxconv.spec.vocabulary import INITIALISERS, LAYER_KEYS, LAYERS, QUANTIZATION, SPEC_KEYS, Attribute, Kind

__all__ = ["schema"]

Schema: TypeAlias = dict[str, object]

_EXPRESSION: Schema = {"type": "string", "description": "whole-number arithmetic on parameters, or a parameter's name"}
_NAME: Schema = {"type": "string", "minLength": 1}


def schema() -> Schema:
    """The JSON Schema of a whole spec."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "onnxconv spec",
        "description": "layers of a convolutional network",
        "type": "object",
        "properties": {key: {"description": SPEC_KEYS[key], **form} for key, form in _file().items()},
        "required": ["inputs", "layers"],
        "additionalProperties": False,
        "$defs": {
            "expression": _EXPRESSION,
            "layers": {"type": "array", "items": {"$ref": "#/$defs/layer"}},
            "layer": _layer(),
            "branches": _branches(),
            "init": _init(),
            **{kind.name: _kind(kind) for kind in LAYERS.values()},
        },
    }


def _file() -> dict[str, Schema]:
    values: Schema = {
        "type": "object",
        "additionalProperties": {"type": ["number", "string", "boolean", "array", "null"]},
    }
    block: Schema = {
        "type": "object",
        "properties": {"parameters": values, "layers": {"$ref": "#/$defs/layers"}},
        "required": ["layers"],
        "additionalProperties": False,
    }
    shape: Schema = {"type": "array", "items": {"type": ["integer", "string"]}}
    return {
        "name": _NAME,
        "parameters": values,
        "dtype": {"enum": list(FLOATS)},
        "init": {"$ref": "#/$defs/init"},
        "inputs": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [{"type": "string", "pattern": r"\[.*\]"}, shape]},
        },
        "blocks": {"type": "object", "additionalProperties": {"anyOf": [{"$ref": "#/$defs/layers"}, block]}},
        "layers": {"$ref": "#/$defs/layers", "minItems": 1},
        "quantize": _quantize(),
        "outputs": {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}]},
    }


def _quantize() -> Schema:
    pair: Schema = {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2, "maxItems": 2}
    words: dict[str, Schema] = {name: {"enum": list(known)} for name, known in QUANTIZATION.items()}
    ranges: Schema = {"type": "object", "additionalProperties": pair}
    table: Schema = {"type": "object", "properties": {**words, "ranges": ranges}, "additionalProperties": False}
    return {"anyOf": [words["activations"], table]}


def _layer() -> Schema:
    """A kind alone as text, or a table of a kind, or a block, and the keys beside it."""
    loop: Schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"anyOf": [{"type": ["integer", "string"]}, {"type": "array"}]},
    }
    beside: dict[str, Schema] = {
        "name": _NAME,
        "from": {"anyOf": [_NAME, {"type": "array", "items": _NAME}]},
        "repeat": {"anyOf": [{"type": ["integer", "string"]}, loop]},
        "when": {"type": ["integer", "boolean", "string"]},
    }
    kinds: dict[str, Schema] = {k.name: {"description": k.doc, "$ref": f"#/$defs/{k.name}"} for k in LAYERS.values()}
    kinds["layers"] = {"description": "several layers as one", "$ref": "#/$defs/layers"}
    alone = [k.name for k in LAYERS.values() if not k.join and not any(a.required for a in k.attributes)]
    never_alone = [name for name in kinds if name not in alone]
    keys = {key: {"description": LAYER_KEYS[key], **form} for key, form in beside.items()}
    return {
        "anyOf": [
            {"enum": alone},
            {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "not": {"enum": never_alone}},
            {"type": "object", "properties": {**kinds, **keys}, "minProperties": 1},
        ]
    }


def _branches() -> Schema:
    branch: Schema = {"anyOf": [{"$ref": "#/$defs/layers"}, _NAME]}
    return {"anyOf": [{"type": "array", "items": branch, "minItems": 1}, _NAME]}


def _kind(kind: Kind) -> Schema:
    properties: dict[str, Schema] = {a.name: _attribute(a) for a in kind.attributes}
    if kind.join:
        properties = {"of": {"$ref": "#/$defs/branches"}, **properties}
    table: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [a.name for a in kind.attributes if a.required]
    forms: list[Schema] = [table | ({"required": required} if required else {})]
    if kind.join:
        forms = [{"$ref": "#/$defs/branches"}, *forms]
    if kind.bare is not None:
        forms.append(_form(kind.attribute(kind.bare)))
    return {"anyOf": forms if required else [*forms, {"type": "null"}]}


def _attribute(attribute: Attribute) -> Schema:
    default: Schema = {} if attribute.default is None else {"default": attribute.default}
    return {"description": attribute.doc, **_form(attribute), **default}


def _form(attribute: Attribute) -> Schema:
    if attribute.type == "init":
        return {"$ref": "#/$defs/init"}
    if attribute.type == "word":
        return {"anyOf": [{"enum": list(attribute.words)}, _expression()]}
    if attribute.type == "number":
        return {"anyOf": [{"type": "number"}, _expression()]}
    if attribute.type == "boolean":
        return {"anyOf": [{"type": "boolean"}, _expression()]}
    whole: Schema = {"type": "integer"} | ({} if attribute.least is None else {"minimum": attribute.least})
    words: list[Schema] = [{"enum": list(attribute.words)}] if attribute.words else []
    one: list[Schema] = [whole, *words, _expression()]
    axis: Schema = {"anyOf": [whole, _expression()]}
    if attribute.type in ("integers", "sizes"):
        one.append({"type": "array", "items": axis, "minItems": 1 - attribute.empty})
    if attribute.type == "pad":
        pair: Schema = {"type": "array", "items": axis, "minItems": 2, "maxItems": 2}
        one.append({"type": "array", "items": {"anyOf": [axis, pair]}, "minItems": 1})
        sizes: Schema = {"anyOf": [axis, {"type": "array", "items": axis, "minItems": 1}]}
        output: Schema = {"type": "object", "properties": {"output": sizes}, "required": ["output"]}
        one += [output | {"additionalProperties": False}] if attribute.words else []
    return {"anyOf": one}


def _expression() -> Schema:
    return {"$ref": "#/$defs/expression"}


def _init() -> Schema:
    roles = ("weight", "bias", "running_mean", "running_var")
    plain: Schema = {"enum": [name for name, numbers in INITIALISERS.items() if not numbers]}
    number: Schema = {"type": ["number", "string"]}
    tables: Schema = {
        "type": "object",
        "properties": {
            name: {
                "description": ", ".join(numbers),
                "anyOf": [
                    number,
                    {"type": "array", "items": number, "minItems": len(numbers), "maxItems": len(numbers)},
                ],
            }
            for name, numbers in INITIALISERS.items()
            if numbers
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    one: Schema = {"anyOf": [plain, _expression(), tables]}
    by_role: Schema = {"type": "object", "properties": dict.fromkeys(roles, one), "additionalProperties": False}
    return {"anyOf": [one, by_role]}
