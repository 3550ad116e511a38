"""Runtimes with every combination of values of their options, each as a name that carries its options.

>>> combinations(["onnxruntime:cpu"], {"optimization": ("off", "all"), "threads": ("1",)})
('onnxruntime:cpu,optimization=off,threads=1', 'onnxruntime:cpu,optimization=all,threads=1')
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.runtimes.registry import resolve, split_options, status

__all__ = ["MATRICES", "Matrix", "combinations"]

Matrix = Mapping[str, Sequence[str]]
"""The values of each option, as text."""

MATRICES: dict[str, Matrix] = {
    "onnxruntime:cpu": {"optimization": ("all", "off"), "threads": ("1", "2")},
    "onnxruntime:cuda": {
        "optimization": ("all", "off"),
        "use_tf32": ("0", "1"),
        "cudnn_conv_algo_search": ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
        "prefer_nhwc": ("0", "1"),
        "enable_cuda_graph": ("0", "1"),
    },
}
"""What `default` stands for: the options that decide which kernels a runtime computes with."""

MOST = 1024
"""Combinations of one runtime."""


def combinations(runtimes: Sequence[str], matrix: Matrix | None = None) -> tuple[str, ...]:
    """Every runtime with every combination of the values; without a matrix, those of its own in `MATRICES`.

    Options that a name carries already stay. Raises `UsageError` for an unknown runtime, option or value, an option given
    twice, too many combinations, and a runtime without a matrix; every value is read by the runtime itself before.
    """
    return tuple(name for runtime in runtimes for name in _of(runtime, matrix))


def _of(runtime: str, matrix: Matrix | None) -> tuple[str, ...]:
    plain, inline = split_options(runtime)
    resolve(plain)
    own = MATRICES.get(plain) if matrix is None else matrix
    if own is None:
        known = f"only {' and '.join(MATRICES)} have one"
        raise _mistake(f"{plain} has no matrix of its own", known, "write KEY=VALUE,VALUE")
    if plain.startswith("command:"):
        raise _mistake(f"{plain} takes no options", "its words are those of a program", "name another runtime")
    if twice := sorted(set(own) & set(inline)):
        raise _mistake(f"{runtime} has a value of {twice[0]} already", "a matrix gives others", "leave one of them out")
    if (count := math.prod(map(len, own.values()))) > MOST:
        raise _mistake(f"{count} combinations of {plain}", f"at most {MOST} are run", "give fewer values")
    names = tuple(_named(runtime, own, values) for values in itertools.product(*own.values()))
    for values in itertools.zip_longest(*own.values()):
        given = zip(own.values(), values, strict=True)
        status(_named(runtime, own, [value or each[0] for each, value in given]))
    return names


def _named(runtime: str, matrix: Matrix, values: Sequence[str]) -> str:
    return "".join((runtime, *(f",{key}={value}" for key, value in zip(matrix, values, strict=True))))


def _mistake(what: str, why: str, fix: str) -> UsageError:
    return UsageError(Diagnostic(Where(), "runtime-matrix", what, why, fix))
