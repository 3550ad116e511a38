"""A batch norm multiplied into the layer before it, so that nothing of it is left at run time."""

from __future__ import annotations

from dataclasses import replace

from onnxconv.errors import Refusal
from onnxconv.graph import FoldedBias, FoldedWeight, Initial, Node, Param, Recipe, Tiled
from onnxconv.ops import BatchNorm, Conv, ConvTranspose, Dense
from onnxconv.resolve.site import Site

__all__ = ["fold"]


def fold(site: Site, before: Node | None, readers: int) -> Node:
    """The node `before` with the batch norm at `site` in its weights; it makes the batch norm's tensor from then on.

    `readers`: how many layers and outputs read the tensor of `before`. Raises `Refusal`.
    """
    if before is None or not isinstance(before.op, Conv | ConvTranspose | Dense):
        found = f"a layer of kind {before.op.kind}" if before else "an input of the network"
        raise _refusal(
            f"{site.inputs[0]!r}, which this batch norm reads, is {found}",
            "a batch norm is folded into the conv, conv_transpose or dense layer right before it",
        )
    if readers > 1:
        raise _refusal(
            f"{before.name!r} is read {readers} times: by this batch norm and elsewhere",
            "folding replaces that tensor by the normalised one, so nobody else may read it",
        )
    params = dict(before.params)
    weight, bias = params["weight"], params["bias"].recipe if "bias" in params else None
    if not isinstance(weight.recipe, Initial | Tiled) or not isinstance(bias, Initial | None):
        raise _refusal(f"{before.name!r} has a batch norm folded in already", "one batch norm is folded into a layer")
    epsilon = float(site.get("epsilon"))
    names = ("weight", "bias", "running_mean", "running_var")
    channels = before.type.shape[1]
    assert isinstance(channels, int), "a layer's own filters are counted"
    scale, shift, mean, var = (site.stored(BatchNorm.kind, role, (channels,), (1, 1)) for role in names)
    folded: tuple[tuple[str, Recipe, tuple[int, ...]], ...] = (
        (
            "weight",
            FoldedWeight(weight.recipe, scale, var, epsilon, axis=int(isinstance(before.op, ConvTranspose))),
            weight.shape,
        ),
        ("bias", FoldedBias(bias, scale, shift, mean, var, epsilon), (channels,)),
    )
    prefix = weight.name.removesuffix("weight")
    return replace(
        before,
        name=site.layer.name,
        op=replace(before.op, bias=True),
        output=site.layer.name,
        params=tuple((role, Param(prefix + role, weight.dtype, shape, recipe)) for role, recipe, shape in folded),
    )


def _refusal(what: str, why: str) -> Refusal:
    return Refusal("fold", f"nothing to fold this batch norm into: {what}", why, "leave fold out", "fold")
