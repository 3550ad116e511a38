"""A whole file: parameters, inputs, blocks, layers, outputs."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.errors import Where, closest
from onnxconv.spec.declared import read_inputs, read_parameters
from onnxconv.spec.expand import Expander
from onnxconv.spec.form import Scope, work_out
from onnxconv.spec.initial import initialisers
from onnxconv.spec.layers import LayerReader, parameter_name, tensor_name
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.size import MOST_LAYERS, count_layers
from onnxconv.spec.tensors import Tensors
from onnxconv.spec.value import Input, Spec, Value
from onnxconv.spec.vocabulary import DTYPES, LAYERS, SPEC_KEYS, suggestion
from onnxconv.spec.written import Block, Reference, Step, Steps

__all__ = ["read_document"]

DEEPEST_USE = 60
"""Blocks used inside one another."""


def read_document(tree: Node | None, file: str, name: str, overrides: Mapping[str, object], mistakes: Mistakes) -> Spec:
    """The spec that a tree says; `name` where it has none. Raises SpecError with every mistake found."""
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
        tensors = Tensors(steps.names, self._mistakes)
        for one in inputs:
            tensors.add(one.name, one.name, one.where)
        if self._recursion(blocks) or self._too_large(steps, scope, blocks):
            self._mistakes.check()
        expander = Expander(blocks, tensors, init, self._mistakes)
        last = expander.steps(steps, scope, "", inputs[0].name if len(inputs) == 1 else None)
        outputs = self._outputs(tensors, last)
        tensors.report_unknown()
        self._mistakes.check()
        return Spec(name, inputs, tuple(expander.layers), outputs, self._file)

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
            if isinstance(entry.value, Scalar) and entry.value.text in DTYPES:
                dtype = entry.value.text
            else:
                fix = closest(entry.value.text, DTYPES) if isinstance(entry.value, Scalar) else "write float32"
                self._mistakes.add(
                    entry.value.where,
                    "dtype",
                    f"dtype is {described(entry.value)}",
                    f"data types are {', '.join(DTYPES)}",
                    fix,
                )
        inputs = self._required("inputs")
        return () if inputs is None else read_inputs(inputs.value, dtype, scope, self._mistakes)

    def _init(self, scope: Scope) -> Value | None:
        entry = self._tree.get("init")
        value = work_out(entry.value, scope, self._mistakes) if entry else None
        return value and initialisers(value, ("weight", "bias"), self._mistakes)

    def _layers(self, scope: Scope) -> tuple[dict[str, Block], Steps]:
        heads = self._heads()
        required = {
            name: {p: default is None for p, default in parameters} for name, (_, parameters, _) in heads.items()
        }
        reader = LayerReader(required, self._mistakes)
        blocks = {}
        for name, (entry, parameters, layers) in heads.items():
            known = frozenset(scope) | {p for p, _ in parameters}
            body = Steps(()) if layers is None else reader.steps(layers, known)
            blocks[name] = Block(name, parameters, body, entry.where, scope)
        layers_entry = self._required("layers")
        steps = Steps(()) if layers_entry is None else reader.steps(layers_entry.value, frozenset(scope))
        if layers_entry is not None and isinstance(layers_entry.value, Items) and not steps.steps:
            self._mistakes.add(
                layers_entry.where,
                "layers",
                "there are no layers",
                "a network has at least one layer",
                "add one, such as - relu",
            )
        return blocks, steps

    def _heads(self) -> dict[str, tuple[Entry, tuple[tuple[str, Node | None], ...], Node | None]]:
        """Of each block: its entry, its parameters with their defaults, and its layers."""
        entry = self._tree.get("blocks")
        if entry is None:
            return {}
        if not isinstance(entry.value, Table):
            self._mistakes.add(
                entry.value.where,
                "blocks",
                f"blocks are {described(entry.value)}",
                "blocks are a table from names to layers",
                "write name: {parameters: ..., layers: ...}",
            )
            return {}
        heads = {}
        for block in entry.value.entries:
            if block.key in LAYERS:
                self._mistakes.add(
                    block.where,
                    "reserved",
                    f"a block is called {block.key!r}",
                    f"{block.key!r} is a kind of layer",
                    "rename it",
                )
            else:
                parameter_name(block.key, block.where, "a block", self._mistakes)
            heads[block.key] = self._head(block)
        return heads

    def _head(self, block: Entry) -> tuple[Entry, tuple[tuple[str, Node | None], ...], Node | None]:
        if isinstance(block.value, Items):
            return block, (), block.value
        if not isinstance(block.value, Table) or block.value.get("layers") is None:
            self._mistakes.add(
                block.where,
                "blocks",
                f"the block {block.key} has no layers",
                "a block is a list of layers, or a table with parameters and layers",
                "add layers:",
            )
            if not isinstance(block.value, Table):
                return block, (), None
        for entry in block.value.entries:
            if entry.key not in ("parameters", "layers"):
                self._mistakes.add(
                    entry.where,
                    "unknown-key",
                    f"a block has no {entry.key!r}",
                    "",
                    suggestion(entry.key, ("parameters", "layers")),
                )
        layers = block.value.get("layers")
        return block, self._parameters(block.value.get("parameters")), layers.value if layers else None

    def _parameters(self, entry: Entry | None) -> tuple[tuple[str, Node | None], ...]:
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
            return ()
        if not isinstance(entry.value, Table):
            self._mistakes.add(
                entry.value.where,
                "parameters",
                f"parameters are {described(entry.value)}",
                "parameters are a table; one without a default has no value",
                "write parameters: {filters, stride: 1}",
            )
            return ()
        found: list[tuple[str, Node | None]] = []
        for one in entry.value.entries:
            parameter_name(one.key, one.where, "a parameter", self._mistakes)
            required = isinstance(one.value, Scalar) and one.value.value is None
            found.append((one.key, None if required else one.value))
        return tuple(found)

    def _recursion(self, blocks: Mapping[str, Block]) -> bool:
        """Report blocks that use themselves, or that are used too deep inside one another."""
        used = {name: tuple(_uses(block.body)) for name, block in blocks.items()}
        depth: dict[str, int] = {}
        found = len(self._mistakes)

        def visit(name: str, path: tuple[str, ...]) -> int:
            if len(path) > DEEPEST_USE:
                where = blocks[name].where
                self._mistakes.add(
                    where,
                    "depth",
                    f"blocks used {len(path) + 1} deep",
                    f"at most {DEEPEST_USE} are read",
                    "use fewer blocks inside one another",
                )
                return 0
            if name not in depth:
                depth[name] = 1
                for step in used[name]:
                    assert step.block is not None, "only uses of blocks are collected"
                    if step.block in (*path, name):
                        round_trip = " uses ".join((*(*path, name)[(*path, name).index(step.block) :], step.block))
                        self._mistakes.add(
                            step.where,
                            "recursion",
                            f"the block {step.block} uses itself: {round_trip}",
                            "a block is written out where it is used, which would never end",
                            "use repeat",
                        )
                    else:
                        depth[name] = max(depth[name], 1 + visit(step.block, (*path, name)))
            return depth[name]

        for name in blocks:
            visit(name, ())
        return len(self._mistakes) > found

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


def _uses(steps: Steps) -> list[Step]:
    """Every use of a block in the steps, in groups and branches too."""
    found: list[Step] = []
    for step in steps.steps:
        found += [step] if step.block is not None else []
        inner = [b for b in step.branches or () if isinstance(b, Steps)] + ([step.body] if step.body else [])
        for one in inner:
            found += _uses(one)
    return found
