"""Philox-4×64-10 in plain integers. Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011."""

from __future__ import annotations

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def block(counter: int, key: int) -> tuple[int, int, int, int]:
    """The four 64-bit words of one counter of 256 bits under a key of 128 bits."""
    c = [counter >> 64 * i & MASK for i in range(4)]
    k = [key & MASK, key >> 64 & MASK]
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 64) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + WEYL[0]) & MASK, (k[1] + WEYL[1]) & MASK]
    return c[0], c[1], c[2], c[3]
