"""A whole file: parameters, inputs, blocks, layers, outputs."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Where, closest
from onnxconv.spec.blocks import endless, read_heads
from onnxconv.spec.declared import read_inputs, read_parameters
from onnxconv.spec.expand import Expander
from onnxconv.spec.form import Scope, work_out
from onnxconv.spec.initial import initialisers
from onnxconv.spec.layers import LayerReader
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.names import tensor_name
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.quantization import read_quantization
from onnxconv.spec.size import MOST_LAYERS, count_layers
from onnxconv.spec.tensors import Tensors
from onnxconv.spec.value import Input, Spec, Value
from onnxconv.spec.vocabulary import INITIALISERS, LAYERS, SPEC_KEYS, suggestion
from onnxconv.spec.written import Block, Reference, Steps

__all__ = ["read_document"]


def read_document(tree: Node | None, file: str, name: str, overrides: Mapping[str, object], mistakes: Mistakes) -> Spec:
    """The spec that a tree says; `name` where it has none.

    Where there are mistakes, it is what could be made out: layers without a mistake of their own. Raises SpecError where
    that is nothing.
    """
    if tree is None:
        mistakes.add(
            Where(file, 1, 1), "empty", "the spec is empty", "a spec has inputs and layers", "see the quickstart spec"
        )
    if not isinstance(tree, Table):
        if tree is not None and not len(mistakes):
            empty = isinstance(tree, Scalar) and tree.value is None
            what = "the spec is empty" if empty else f"the spec is {described(tree)}"
            mistakes.add(
                tree.where,
                "empty" if empty else "type",
                what,
                "a spec is a table with inputs and layers",
                "write inputs: and layers:",
            )
        mistakes.check()
    assert isinstance(tree, Table), "anything else was refused"
    for entry in tree.entries:
        if entry.key not in SPEC_KEYS:
            fix = f"put it under layers: as - {entry.key}" if entry.key in LAYERS else suggestion(entry.key, SPEC_KEYS)
            mistakes.add(entry.where, "unknown-key", f"a spec has no {entry.key!r}", "", fix)
    return _Document(tree, file, mistakes).spec(name, overrides)


class _Document:
    def __init__(self, tree: Table, file: str, mistakes: Mistakes) -> None:
        self._tree, self._file, self._mistakes = tree, file, mistakes

    def spec(self, name: str, overrides: Mapping[str, object]) -> Spec:
        scope = read_parameters(self._tree.get("parameters"), overrides, self._mistakes)
        named = self._tree.get("name")
        name = (named and tensor_name(named.value, "name", self._mistakes)) or name
        inputs = self._inputs(scope)
        blocks, steps = self._layers(scope)
        init = self._init(scope)
        asked = self._tree.get("quantize")
        quantization = read_quantization(asked, scope, self._mistakes) if asked else None
        tensors = Tensors(self._mistakes)
        tensors.reserve("", steps.names)
        for one in inputs:
            tensors.add(one.name, one.name, one.where)
        if endless(blocks, steps, self._tree.where, self._mistakes) or self._too_large(steps, scope, blocks):
            self._mistakes.check()
        expander = Expander(blocks, tensors, init, self._mistakes)
        last = expander.steps(steps, scope, "", inputs[0].name if len(inputs) == 1 else None)
        outputs = self._outputs(tensors, last)
        tensors.report_unknown()
        return Spec(name, inputs, tuple(expander.layers), outputs, self._file, quantization)

    def _required(self, key: str) -> Entry | None:
        entry = self._tree.get(key)
        if entry is None:
            self._mistakes.add(
                self._tree.where, f"missing-{key}", f"the spec has no {key}", f"{key}: {SPEC_KEYS[key]}", f"add {key}:"
            )
        return entry

    def _inputs(self, scope: Scope) -> tuple[Input, ...]:
        dtype, entry = "float32", self._tree.get("dtype")
        if entry is not None:
            if isinstance(entry.value, Scalar) and entry.value.text in FLOATS:
                dtype = entry.value.text
            else:
                fix = closest(entry.value.text, FLOATS) if isinstance(entry.value, Scalar) else "write float32"
                self._mistakes.add(
                    entry.value.where,
                    "dtype",
                    f"dtype is {described(entry.value)}",
                    f"data types are {', '.join(FLOATS)}",
                    fix,
                )
        inputs = self._required("inputs")
        return () if inputs is None else read_inputs(inputs.value, dtype, scope, self._mistakes)

    def _init(self, scope: Scope) -> Value | None:
        entry = self._tree.get("init")
        value = work_out(entry.value, scope, self._mistakes, tuple(INITIALISERS)) if entry else None
        return value and initialisers(value, ("weight", "bias"), self._mistakes)

    def _layers(self, scope: Scope) -> tuple[dict[str, Block], Steps]:
        heads = read_heads(self._tree.get("blocks"), scope, self._mistakes)
        reader = LayerReader({head.name: head.required() for head in heads}, self._mistakes)
        blocks = {head.name: head.block(reader, scope) for head in heads}
        entry = self._required("layers")
        steps = Steps(()) if entry is None else reader.steps(entry.value, frozenset(scope))
        if entry is not None and isinstance(entry.value, Items) and not steps.steps:
            rule = "a network has at least one layer"
            self._mistakes.add(entry.where, "layers", "there are no layers", rule, "add one, such as - relu")
        return blocks, steps

    def _too_large(self, steps: Steps, scope: Scope, blocks: Mapping[str, Block]) -> bool:
        count = count_layers(steps, scope, blocks)
        if count > MOST_LAYERS:
            entry = self._tree.get("layers")
            where = entry.where if entry else self._tree.where
            self._mistakes.add(
                where,
                "expansion",
                f"written out, the spec has more than {MOST_LAYERS} layers",
                f"at most {MOST_LAYERS} are read",
                "repeat less often",
            )
        return count > MOST_LAYERS

    def _outputs(self, tensors: Tensors, last: str | None) -> tuple[str, ...]:
        entry = self._tree.get("outputs")
        if entry is None:
            return () if last is None else (last,)
        nodes = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
        if not nodes:
            self._mistakes.add(
                entry.where,
                "outputs",
                "there are no outputs",
                "a network has at least one output",
                "leave outputs out for the last layer",
            )
        found: dict[str, None] = {}
        for node in nodes:
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                self._mistakes.add(
                    node.where,
                    "outputs",
                    f"an output is {described(node)}",
                    "outputs are names of layers",
                    "write outputs: [name]",
                )
                continue
            reference = Reference(node.value, node.where)
            pattern = "*" in node.value or "?" in node.value
            one = None if pattern else tensors.find(reference, "")
            for tensor in tensors.matching(reference, "") if pattern else (one,) if one else ():
                if tensor in found:
                    self._mistakes.add(
                        node.where,
                        "duplicate-output",
                        f"the output {tensor!r} a second time",
                        "an output is listed once",
                        "remove one of them",
                    )
                found[tensor] = None
        return tuple(found)
