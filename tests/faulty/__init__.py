"""Faulty runtimes made from a correct one, small networks to try them on, and ways in which people look for faults."""

from faulty.geometry import GEOMETRY
from faulty.layers import ACTIVATIONS, FUSION, JOINS, POOLS, TRANSPOSED
from faulty.memory import MEMORY, SINGLE
from faulty.mutant import Mutant
from faulty.precision import PRECISION, SPECIAL

MUTANTS: tuple[Mutant, ...] = (
    *PRECISION,
    *GEOMETRY,
    *MEMORY,
    *SINGLE,
    *ACTIVATIONS,
    *JOINS,
    *POOLS,
    *TRANSPOSED,
    *FUSION,
    *SPECIAL,
)

__all__ = ["MUTANTS", "Mutant"]
