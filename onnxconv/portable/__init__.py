"""Somebody's model in the portable form, written only with proof that it computes the same.

Portable: pads as integers, a pinned opset and IR version, constants as initializers, a shape on every tensor, and no node
that nothing depends on.
"""

from onnxconv.portable.account import Account, Disproved
from onnxconv.portable.changes import Change
from onnxconv.portable.proof import Evidence
from onnxconv.portable.rewrite import rewrite
from onnxconv.portable.verified import ORIGINAL, verified

__all__ = ["ORIGINAL", "Account", "Change", "Disproved", "Evidence", "rewrite", "verified"]
