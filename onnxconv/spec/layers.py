"""Lists of layers read from the tree into steps; everything that can be said before parameters have values is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from onnxconv.spec.attribute import check_attributes
from onnxconv.spec.form import check_node, free_names
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.names import is_identifier, parameter_name, tensor_name
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.vocabulary import LAYER_KEYS, LAYERS, Kind, suggestion
from onnxconv.spec.written import Branch, Reference, Repeat, Step, Steps, names_of, union

__all__ = ["LayerReader"]


class LayerReader:
    """Reads layers, given the blocks that there are, with the names of their parameters (True: it must be given)."""

    def __init__(self, blocks: Mapping[str, Mapping[str, bool]], mistakes: Mistakes) -> None:
        self._blocks, self._mistakes = blocks, mistakes

    def steps(self, node: Node, known: frozenset[str]) -> Steps:
        """The layers in a list; expressions in them may mention the `known` parameters."""
        if not isinstance(node, Items):
            self._mistakes.add(
                node.where,
                "layers",
                f"layers are {described(node)}",
                "layers are a list: one '- ' a layer",
                "write a list",
            )
            return Steps(())
        steps = tuple(self._step(item, known) for item in node.items)
        return Steps(steps, union(names_of(step) for step in steps), union(step.free for step in steps))

    def _step(self, node: Node, known: frozenset[str]) -> Step:
        before = self._mistakes.said
        step = self._read(node, known)
        return replace(step, wrong=self._mistakes.said > before)

    def _read(self, node: Node, known: frozenset[str]) -> Step:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            word = Entry(node.value, node.where, Scalar(None, "", node.where))
            return self._of_kind(word, Table((word,), node.where), known)
        if isinstance(node, Table):
            words = [entry for entry in node.entries if entry.key not in LAYER_KEYS]
            if words:
                return self._of_kind(self._only_one(words), node, known)
        rule = "a layer is the name of its kind, alone or followed by ':' and its attributes"
        self._mistakes.add(
            node.where,
            "layer",
            f"a layer is {described(node)}",
            rule,
            "write - relu, or - conv: {filters: 64, kernel: 3}",
        )
        return Step("?", node.where)

    def _only_one(self, words: list[Entry]) -> Entry:
        """The first of several keys, as the layer's kind, with those inside it that belong there."""
        first, belong = words[0], list[Entry]()
        for extra in words[1:]:
            kind = LAYERS.get(first.key)
            inside = kind is not None and extra.key in {a.name for a in kind.attributes}
            inside = inside or extra.key in self._blocks.get(first.key, {})
            if inside:
                belong.append(extra)
                fix = f"indent {extra.key!r} below {first.key!r}, or write {first.key}: {{{extra.key}: ...}}"
            elif extra.key in LAYERS or extra.key in self._blocks:
                fix = f"put '- ' before {extra.key!r} to make it a layer of its own"
            else:
                fix = suggestion(extra.key, LAYER_KEYS)
            self._mistakes.add(
                extra.where,
                "unknown-key",
                f"the key {extra.key!r} beside {first.key!r}",
                f"beside its kind a layer has {', '.join(LAYER_KEYS)}",
                fix,
            )
        if belong and isinstance(first.value, Scalar) and first.value.value is None:
            return replace(first, value=Table(tuple(belong), first.where))
        return first

    def _of_kind(self, word: Entry, table: Table, known: frozenset[str]) -> Step:
        repeat, inner = self._repeat(table, known)
        name = table.get("name")
        when = table.get("when")
        source = table.get("from")
        if when is not None:
            self._scalar(when, inner)
        named = tensor_name(name.value, "name", self._mistakes) if name else None
        step = Step(
            word.key,
            word.where,
            name=named,
            name_where=name.value.where if name else word.where,
            source=() if source is None else self._references(source.value, many=_is_join(word.key)),
            repeat=repeat,
            when=when.value if when else None,
        )
        filled = self._filled(step, word, inner)
        outside = free_names(when.value) if when else frozenset[str]()
        counted = free_names(repeat.values) if repeat else frozenset[str]()
        return replace(filled, free=filled.free | outside | counted)

    def _filled(self, step: Step, word: Entry, known: frozenset[str]) -> Step:
        if word.key == "layers":
            body = self.steps(word.value, known)
            return replace(step, body=body, free=body.free)
        kind = LAYERS.get(word.key)
        if kind is not None and kind.join:
            return self._join(step, kind, word, known)
        if kind is not None:
            entries = self._entries(word, [a.name for a in kind.attributes], kind.bare, known, kind)
            check_attributes(kind, entries, step.where, self._mistakes)
            return replace(step, kind=kind, entries=entries, free=union(free_names(e.value) for e in entries))
        if word.key in self._blocks:
            parameters = self._blocks[word.key]
            entries = self._entries(word, parameters, next(iter(parameters), None), known)
            given = {entry.key for entry in entries}
            for parameter, required in parameters.items():
                if required and parameter not in given:
                    self._mistakes.add(
                        step.where,
                        "missing",
                        f"{word.key} has no {parameter}",
                        f"the block {word.key} has {', '.join(parameters)}",
                        f"add {parameter}",
                    )
            return replace(step, block=word.key, entries=entries, free=union(free_names(e.value) for e in entries))
        fix = suggestion(word.key, [*LAYERS, *self._blocks, "layers"])
        self._mistakes.add(word.where, "unknown-kind", f"no layer or block is called {word.key!r}", "", fix)
        return step

    def _entries(
        self, word: Entry, names: Iterable[str], bare: str | None, known: frozenset[str], kind: Kind | None = None
    ) -> tuple[Entry, ...]:
        names = list(names)
        if isinstance(word.value, Scalar) and word.value.value is None:
            return ()
        if isinstance(word.value, Table) and not (kind and bare and _has_only(word.value, {"output"} - set(names))):
            entries = tuple(e for e in word.value.entries if self._known_key(e, names, word.key))
        elif bare is not None:
            entries = (Entry(bare, word.where, word.value),)
        else:
            has = f"the attributes {', '.join(names)}" if names else "no attributes"
            fix = f"write {word.key}: {{{names[0]}: ...}}" if names else f"write {word.key} alone"
            self._mistakes.add(
                word.value.where, "bare", f"{word.key} is given {described(word.value)}", f"{word.key} has {has}", fix
            )
            return ()
        for entry in entries:
            attribute = kind.attribute(entry.key) if kind else None
            if attribute is None or attribute.type != "sizes":
                check_node(entry.value, known, attribute.words if attribute else (), self._mistakes)
        return entries

    def _known_key(self, entry: Entry, names: list[str], word: str) -> bool:
        if entry.key in names:
            return True
        if entry.key in LAYER_KEYS:
            fix = f"write {entry.key!r} beside {word!r}, not inside it"
        elif ":" in entry.key:
            fix = f"put a space after the colon: {entry.key.replace(':', ': ', 1)}"
        elif isinstance(entry.value, Scalar) and entry.value.value is None and not is_identifier(entry.key):
            fix = 'a comma ends a value inside braces: put quotes around an expression with commas, such as "max(a, b)"'
        else:
            fix = suggestion(entry.key, names) if names else "remove it"
        self._mistakes.add(entry.where, "unknown-key", f"{word} has no {entry.key!r}", "", fix)
        return False

    def _join(self, step: Step, kind: Kind, word: Entry, known: frozenset[str]) -> Step:
        value, entries = word.value, tuple[Entry, ...]()
        if isinstance(value, Table):
            of = value.get("of")
            names = ["of", *(a.name for a in kind.attributes)]
            kept = [e for e in value.entries if self._known_key(e, names, word.key) and e.key != "of"]
            entries = tuple(kept)
            for entry in entries:
                check_node(entry.value, known, kind.attribute(entry.key).words, self._mistakes)
            check_attributes(kind, entries, step.where, self._mistakes)
            value = of.value if of else Scalar(None, "", word.where)
        branches = self._branches(step, value, word, known)
        free = union(b.free for b in branches or () if isinstance(b, Steps)) | union(
            free_names(e.value) for e in entries
        )
        return replace(step, kind=kind, entries=entries, branches=branches, free=free)

    def _branches(self, step: Step, value: Node, word: Entry, known: frozenset[str]) -> tuple[Branch, ...]:
        rule = f"{word.key} joins a list: branches (lists of layers, [] for none), names of tensors, 'previous'"
        if isinstance(value, Items):
            if not value.items:
                self._mistakes.add(
                    value.where, "join", f"{word.key} joins nothing", rule, "give it two branches or names"
                )
            return tuple(b for item in value.items for b in self._branch(item, rule, known))
        if isinstance(value, Scalar) and isinstance(value.value, str):
            return self._references(value, many=True)
        if isinstance(value, Scalar) and value.value is None and step.source:
            return ()
        self._mistakes.add(
            value.where, "join", f"{word.key} joins {described(value)}", rule, "give it two branches or names"
        )
        return ()

    def _branch(self, item: Node, rule: str, known: frozenset[str]) -> tuple[Branch, ...]:
        if isinstance(item, Items):
            return (self.steps(item, known),)
        if isinstance(item, Table):
            self._mistakes.add(
                item.where,
                "join",
                f"a branch is {described(item)}",
                rule,
                "write '- ' once more before it, to make it a list of layers",
            )
            self._step(item, known)
            return ()
        return self._references(item, many=False)

    def _references(self, node: Node, *, many: bool) -> tuple[Reference, ...]:
        if isinstance(node, Items) and many:
            return tuple(r for item in node.items for r in self._references(item, many=False))
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return (Reference(node.value, node.where),)
        fix = "to read several tensors, use add, mul or concat" if isinstance(node, Items) else "write a name"
        self._mistakes.add(
            node.where,
            "from",
            f"the name of a tensor is {described(node)}",
            "a layer reads the tensor of a layer or an input, by its name",
            fix,
        )
        return ()

    def _repeat(self, table: Table, known: frozenset[str]) -> tuple[Repeat | None, frozenset[str]]:
        entry = table.get("repeat")
        if entry is None:
            return None, known
        node, variable = entry.value, None
        if isinstance(node, Table):
            if len(node.entries) != 1:
                self._mistakes.add(
                    node.where,
                    "repeat",
                    f"repeat over {described(node)}",
                    "repeat has one variable",
                    "write repeat: {i: 3}, or repeat: {d: [1, 2, 4]}",
                )
                return None, known | {e.key for e in node.entries}
            (loop,) = node.entries
            if parameter_name(loop.key, loop.where, "a loop variable", self._mistakes) and loop.key in known:
                self._mistakes.add(
                    loop.where,
                    "reserved",
                    f"the loop variable {loop.key!r} is a parameter too",
                    "a name means one thing",
                    "rename it",
                )
            node, variable = loop.value, loop.key
        elif isinstance(node, Items):
            self._mistakes.add(
                node.where,
                "repeat",
                f"repeat over {described(node)} without a variable",
                "the layers need a name for the value",
                "write repeat: {d: [...]}",
            )
            return None, known
        check_node(node, known, (), self._mistakes)
        return Repeat(node, variable, node.where), known | ({variable} if variable else frozenset())

    def _scalar(self, entry: Entry, known: frozenset[str]) -> None:
        if not isinstance(entry.value, Scalar):
            self._mistakes.add(
                entry.value.where,
                "type",
                f"{entry.key} is {described(entry.value)}",
                f"{entry.key} is a number or an expression",
                "write an expression, such as i > 0",
            )
            return
        check_node(entry.value, known, (), self._mistakes)


def _is_join(word: str) -> bool:
    return word in LAYERS and LAYERS[word].join


def _has_only(table: Table, keys: set[str]) -> bool:
    return bool(table.entries) and {entry.key for entry in table.entries} <= keys
