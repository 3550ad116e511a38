"""What is different about two ONNX models, counted in the models themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

__all__ = ["Change", "changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was: what, how it was and how it is now, in words."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        if "none" in (self.before, self.after):
            return f"{self.what}: {self.before if self.after == 'none' else self.after}"
        return f"{self.what}: {self.before} → {self.after}"


def changes(old: onnx.ModelProto, new: onnx.ModelProto) -> tuple[Change, ...]:
    """Everything that differs but names; both models without their external data."""
    found = [*_format(old, new), *_paddings(old, new), *_nodes(old, new), *_constants(old, new), *_types(old, new)]
    return tuple(change for change in found if change.before != change.after)


def _format(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    yield Change("opset", _opsets(old), _opsets(new))
    yield Change("IR version", str(old.ir_version), str(new.ir_version))
    yield Change("functions", str(len(old.functions)), str(len(new.functions)))
    yield Change("metadata and doc strings", str(_remarks(old)), str(_remarks(new)))


def _opsets(model: onnx.ModelProto) -> str:
    return ", ".join(sorted(f"{o.domain} {o.version}".strip() for o in model.opset_import))


def _remarks(model: onnx.ModelProto) -> int:
    graph = model.graph
    documented = (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer)
    return len(model.metadata_props) + sum(bool(one.doc_string) for one in documented)


def _paddings(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    for what, name, ordinary in (
        ("nodes with auto_pad", "auto_pad", b"NOTSET"),
        ("nodes with ceil_mode", "ceil_mode", 0),
        ("nodes with output_shape", "output_shape", None),
    ):
        yield Change(what, *(_with(model, name, ordinary) for model in (old, new)))


def _with(model: onnx.ModelProto, name: str, ordinary: object) -> str:
    """How many nodes have an attribute at another value than the ordinary one, and which values those are."""
    values: Counter[str] = Counter()
    for node in _nodes_of(model):
        for attribute in node.attribute:
            value = onnx.helper.get_attribute_value(attribute) if attribute.name == name else ordinary
            if value not in (ordinary, b"", None):
                values[value.decode("ascii", "replace") if isinstance(value, bytes) else ""] += 1
    said = ", ".join(f"{count} {word}".strip() for word, count in sorted(values.items()))
    return said or "0"


def _nodes_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _nodes(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    before, after = (Counter(node.op_type for node in _nodes_of(model)) for model in (old, new))
    yield Change("nodes", str(before.total()), str(after.total()))
    for what, kinds in (("nodes that are gone", before - after), ("nodes that are new", after - before)):
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        if said:
            yield Change(what, *((said, "none") if kinds == before - after else ("none", said)))


def _constants(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    yield Change("initializers", *(str(len(model.graph.initializer)) for model in (old, new)))
    yield Change("initializers that are inputs too", *(str(_overridable(model)) for model in (old, new)))
    yield Change("external initializers", *(str(_external(model)) for model in (old, new)))


def _overridable(model: onnx.ModelProto) -> int:
    held = {tensor.name for tensor in model.graph.initializer}
    return sum(value.name in held for value in model.graph.input)


def _external(model: onnx.ModelProto) -> int:
    return sum(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)


def _types(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    yield Change("tensors with a stated shape", *(str(_shaped(model)) for model in (old, new)))
    held = {tensor.name for tensor in old.graph.initializer}
    for what, kept, given in (
        ("input", old.graph.input, new.graph.input),
        ("output", old.graph.output, new.graph.output),
    ):
        before, after = ({value.name: _type(value) for value in values} for values in (kept, given))
        for name in dict.fromkeys((*before, *after)):
            if name not in held:
                yield Change(f"{what} {name!r}", before.get(name, "absent"), after.get(name, "absent"))


def _shaped(model: onnx.ModelProto) -> int:
    values = (*model.graph.value_info, *model.graph.output)
    return sum(value.type.tensor_type.HasField("shape") for value in values)


def _dtype(number: int) -> str:
    names: dict[int, str] = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
    return names.get(number) or str(onnx.TensorProto.DataType.Name(number)).lower()


def _type(value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    dtype = _dtype(tensor.elem_type)
    if not tensor.HasField("shape"):
        return dtype
    sizes = (str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim)
    return f"{dtype}[{', '.join(sizes)}]"
