"""One layer about to be lowered: its attributes in plain form, what it reads, and how its nodes are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from onnxconv.dtypes import DTYPES, FLOATS
from onnxconv.errors import Diagnostic, Refusal
from onnxconv.graph import Node, Number, Param, Recipe, TensorType
from onnxconv.ops import Constant, Operator, Shape, shape_text
from onnxconv.ops.protocol import fixed, need_spatial
from onnxconv.resolve.initial import initial
from onnxconv.resolve.limits import LARGEST_INTEGER, check_tensor, check_weight
from onnxconv.spec import Input, Layer, Value

__all__ = ["Lowering", "Site", "plain"]


def plain(data: Any) -> Any:
    """Scalars as they are, lists as tuples and mappings as dicts, their positions dropped."""
    if isinstance(data, Value):
        return plain(data.value)
    if not isinstance(data, tuple):
        return data
    if data and isinstance(data[0], tuple):
        return {key: plain(value) for key, value in data}
    return tuple(map(plain, data))


@dataclass(frozen=True, slots=True)
class Site:
    """A layer, and the names and types of the tensors that it reads."""

    layer: Layer
    inputs: tuple[str, ...]
    types: tuple[TensorType, ...]
    network: tuple[tuple[Input, TensorType], ...] = ()
    """The inputs of the network that are in order: as they are declared, and their types."""

    @property
    def x(self) -> Shape:
        """Shape of the only input, or of the first one."""
        return self.types[0].shape

    @property
    def dtype(self) -> str:
        return self.types[0].dtype

    def spatial(self) -> Shape:
        """The spatial sizes of the input. Raises `Refusal` where there is none."""
        need_spatial(self.x)
        return self.x[2:]

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute in plain form; `default` where it is neither written nor has a default of its own."""
        found = self.layer.get(attribute)
        return default if found is None else plain(found)

    def integer(self, attribute: str) -> int:
        return self.check(attribute, self.get(attribute))

    def per_axis(self, attribute: str) -> tuple[int, ...]:
        """One integer per spatial axis; a single one stands for all of them. Raises `Refusal` for another number."""
        given = self.get(attribute)
        axes = len(self.spatial())
        values = given if isinstance(given, tuple) else (given,) * axes
        self.check_axes(attribute, len(values))
        return tuple(self.check(attribute, value) for value in values)

    def check_axes(self, attribute: str, count: int) -> None:
        """Refuse a list that has not one entry per spatial axis."""
        axes = len(self.spatial())
        if count != axes:
            raise Refusal(
                "axes",
                f"{attribute} has {count} entr{'y' if count == 1 else 'ies'}, "
                f"the input {shape_text(self.x)} has {axes} spatial ax{'is' if axes == 1 else 'es'}",
                f"{attribute} is one entry per spatial axis, outermost first, or a single one for all",
                f"write {axes} of them, or a single number",
                attribute,
            )

    def check(self, attribute: str, value: int) -> int:
        """The value itself. Raises `Refusal` where it is absurdly large."""
        if value > LARGEST_INTEGER:
            raise Refusal(
                "too-large",
                f"{attribute} is {value}",
                f"whole numbers go up to {LARGEST_INTEGER}",
                "write a smaller number",
                attribute,
            )
        return value

    def node(
        self,
        op: Operator,
        *,
        part: str = "",
        fan: tuple[int, int] = (1, 1),
        recipes: Mapping[str, Recipe] | None = None,
        dtypes: Mapping[str, str] = MappingProxyType({}),
    ) -> Node:
        """The operator applied here, with its weights. `part` names a node that prepares the layer's own.

        `recipes` replace the ordinary way to make a weight, by role, and `dtypes` its data type, which is the input's.
        Raises `Refusal`.
        """
        shapes = tuple(t.shape for t in self.types)
        shape = op.out_shape(*shapes)
        check_tensor(shape)
        name = f"{self.layer.name}.{part}" if part else self.layer.name
        roles = op.weight_shapes(*shapes)
        if roles:
            self.need_floats()
        made: dict[str, Recipe] = {role: self.stored(op.kind, role, roles[role], fan) for role in roles}
        params = []
        for role, recipe in (made | dict(recipes or {})).items():
            dtype = dtypes.get(role, self.dtype)
            check_weight(role, roles[role], dtype)
            params.append((role, Param(f"{self.layer.name}.{role}", dtype, roles[role], recipe)))
        type_ = TensorType(op.out_dtype(*(t.dtype for t in self.types)), shape)
        return Node(name, op, self.inputs, name, type_, tuple(params), self.layer.where)

    def need_floats(self) -> None:
        """Refuse to meet integers with weights."""
        if self.dtype not in FLOATS:
            why = f"weights are floating-point numbers: {', '.join(FLOATS)}"
            raise Refusal("dtype", f"{self.layer.kind} on {self.dtype}", why, "put cast: float32 before it")

    def need_tensors(self, *counts: int) -> None:
        """Refuse to join another number of tensors."""
        if len(self.inputs) not in counts:
            kind = self.layer.kind
            has = "a first and a second tensor" if counts == (2,) else f"{' or '.join(map(str, counts))} tensors"
            fix = "give it two branches or names" if counts == (2,) else "give it as many branches or names"
            raise Refusal("arity", f"{kind} joins {len(self.inputs)} tensors", f"{kind} has {has}", fix)

    def constant(self, role: str, type: TensorType, recipe: Recipe) -> Node:
        """A tensor of the layer's own, which other nodes read. Raises `Refusal`."""
        shape = tuple(fixed(n, f"a size of the {role}") for n in type.shape)
        check_weight(role, shape, type.dtype)
        param = Param(f"{self.layer.name}.{role}", type.dtype, shape, recipe)
        return Node(param.name, Constant(shape), (), param.name, type, (("value", param),), self.layer.where)

    def number(self, attribute: str, dtype: str) -> Number | None:
        """The number of an attribute, as a weight that no file holds; None where it is left out. Raises `Refusal`."""
        value, of = self.get(attribute), DTYPES[dtype]
        if value is None:
            return None
        if of.family != "float" and (value != int(value) or not of.low <= value <= of.high):
            rule = f"{dtype} has the whole numbers from {of.low} to {of.high}"
            nearest = f"write {int(min(max(round(value), of.low), of.high))}"
            raise Refusal("range", f"{attribute} is {value}", rule, nearest, attribute)
        return Number(value if of.family == "float" else int(value))

    def stored(self, op: str, role: str, shape: tuple[int, ...], fan: tuple[int, int]) -> Any:
        """The stored array of a role, drawn as the layer's `init` says or by default."""
        return initial(op, f"{self.layer.name}.{role}", shape, fan, self.get("init", {}).get(role))

    def after(self, node: Node) -> Site:
        """The same layer, reading the output of a node that prepares its input."""
        return replace(self, inputs=(node.output,), types=(node.type,))

    def beside(self, *nodes: Node) -> Site:
        """The same layer, reading the outputs of nodes of its own too."""
        read = tuple(node.output for node in nodes)
        return replace(self, inputs=(*self.inputs, *read), types=(*self.types, *(node.type for node in nodes)))

    def diagnostic(self, refusal: Refusal) -> Diagnostic:
        """The refusal at the attribute at fault, or else at the layer."""
        at = self.layer[refusal.attribute].where if refusal.attribute in self.layer else self.layer.where
        said = refusal.at(at)
        return replace(said, what=f"{self.layer.name}: {said.what}")


Lowering: TypeAlias = Callable[[Site], tuple[Node, ...]]
"""From a layer and what it reads to its nodes, of which the last has the layer's name. Raises `Refusal`."""
