"""The walk over a spec's layers, in order, each lowered by the function of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, Refusal, SpecError, Where
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Shape
from onnxconv.resolve import moves, plain, pools, resample, sums
from onnxconv.resolve.arithmetic import ARITHMETIC
from onnxconv.resolve.fold import fold
from onnxconv.resolve.inputs import input_types
from onnxconv.resolve.integers import INTEGERS
from onnxconv.resolve.site import Lowering, Site
from onnxconv.spec import Spec

__all__ = ["LOWERINGS", "Lowering", "mistakes", "resolve"]

LOWERINGS: Mapping[str, Lowering] = MappingProxyType(
    {
        "conv": sums.conv,
        "conv_transpose": sums.conv_transpose,
        "dense": sums.dense,
        "pad": sums.pad,
        "crop": sums.crop,
        "deform_conv": sums.deform_conv,
        "max_pool": pools.max_pool,
        "max_pool_indices": pools.max_pool_indices,
        "max_unpool": pools.max_unpool,
        "average_pool": pools.average_pool,
        "lp_pool": pools.lp_pool,
        "global_lp_pool": pools.global_lp_pool,
        "global_max_pool": pools.global_max_pool,
        "global_average_pool": pools.global_average_pool,
        "relu": plain.relu,
        "relu6": plain.relu6,
        "leaky_relu": plain.leaky_relu,
        "prelu": plain.prelu,
        "clip": plain.clip,
        "sigmoid": plain.sigmoid,
        "silu": plain.silu,
        "tanh": plain.tanh,
        "elu": plain.elu,
        "hard_sigmoid": plain.hard_sigmoid,
        "hard_swish": plain.hard_swish,
        "softplus": plain.softplus,
        "gelu": plain.gelu,
        "mish": plain.mish,
        "softmax": plain.softmax,
        "batch_norm": plain.batch_norm,
        "scale": plain.scale,
        "constant": plain.constant,
        **ARITHMETIC,
        **INTEGERS,
        "add": plain.add,
        "mul": plain.mul,
        "concat": plain.concat,
        "flatten": moves.flatten,
        "reshape": moves.reshape,
        "transpose": moves.transpose,
        "squeeze": moves.squeeze,
        "unsqueeze": moves.unsqueeze,
        "slice": moves.part,
        "gather": moves.gather,
        "expand": moves.expand,
        "tile": moves.tile,
        "channel_shuffle": moves.channel_shuffle,
        "depth_to_space": moves.depth_to_space,
        "space_to_depth": moves.space_to_depth,
        "upsample": resample.upsample,
        "resize": resample.resize,
        "cast": moves.cast,
        "dropout": plain.identity,
        "identity": plain.identity,
    }
)
"""How each kind of layer becomes operators. A new kind is added here and in the spec's vocabulary."""


def resolve(spec: Spec, input_shapes: Mapping[str, Shape] = MappingProxyType({})) -> Graph:
    """The graph that a spec describes. `input_shapes` replace the shapes of inputs, by name.

    Raises `SpecError` with every mistake. What depends on a layer that is wrong is not looked at; of the same mistake
    in several copies of one line, the first is reported.
    """
    types, nodes, wrong = _walk(spec, input_shapes)
    if wrong:
        raise SpecError(wrong)
    inputs = tuple((given.name, types[given.name]) for given in spec.inputs)
    return Graph(spec.name, inputs, nodes, spec.outputs)


def mistakes(spec: Spec, input_shapes: Mapping[str, Shape] = MappingProxyType({})) -> tuple[Diagnostic, ...]:
    """What `resolve` would raise; the spec may lack layers that others refer to."""
    return _walk(spec, input_shapes)[2]


def _walk(
    spec: Spec, input_shapes: Mapping[str, Shape]
) -> tuple[dict[str, TensorType], tuple[Node, ...], tuple[Diagnostic, ...]]:
    """Types by tensor, nodes in order, and all mistakes."""
    types, wrong = input_types(spec, input_shapes)
    readers = Counter([name for layer in spec.layers for name in layer.inputs] + list(spec.outputs))
    places = {given.name: given.where for given in spec.inputs} | {layer.name: layer.where for layer in spec.layers}
    nodes: dict[str, Node] = {}
    network = tuple((given, types[given.name]) for given in spec.inputs if given.name in types)
    usual = next((given.dtype for given in spec.inputs if given.dtype in FLOATS), FLOATS[0])
    for layer in spec.layers:
        if not all(name in types for name in layer.inputs):
            continue
        site = Site(
            layer, layer.inputs, tuple(types[name] for name in layer.inputs) or (TensorType(usual, ()),), network
        )
        try:
            made = _lowered(site, nodes, readers)
        except Refusal as refusal:
            wrong.append(site.diagnostic(refusal))
        else:
            wrong += _clashes(places, made)
            nodes |= {node.output: node for node in made}
            types |= {node.output: node.type for node in made}
    return types, tuple(nodes.values()), tuple(_distinct(wrong))


def _lowered(site: Site, nodes: dict[str, Node], readers: Counter[str]) -> tuple[Node, ...]:
    """The nodes of a layer. A folded batch norm takes the node before it out of `nodes` and returns it changed."""
    if site.layer.kind == "batch_norm" and site.get("fold"):
        (name,) = site.inputs
        made = fold(site, nodes.get(name), readers[name])
        del nodes[name]
        return (made,)
    return LOWERINGS[site.layer.kind](site)


def _clashes(places: Mapping[str, Where], made: tuple[Node, ...]) -> Iterable[Diagnostic]:
    """Layers with the name of another layer's weight or padding: in a model file those share one space of names."""
    for node in made:
        parts = [param.name for _, param in node.params]
        parts += [node.output] if node is not made[-1] else []
        for name in parts:
            if name in places:
                yield Diagnostic(
                    places[name],
                    "name-taken",
                    f"the name {name!r} is taken by a part of the layer {name.rpartition('.')[0]!r}",
                    "weights and padding are named after their layer: conv1.weight, conv1.bias, conv1.pad",
                    "choose another name",
                )


def _distinct(wrong: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By place, and of one kind of mistake at one place the first."""
    first: dict[object, Diagnostic] = {}
    for found in wrong:
        first.setdefault((found.where, found.code) if found.where.line else found, found)
    return sorted(first.values(), key=lambda found: found.where)
