"""Node cases that do not pass, by name, with the reason. A case that begins to pass must leave these lists."""

from __future__ import annotations

NOT_YET: dict[str, str] = {}
"""Reason → names of cases that are refused and should not be."""

OUTSIDE: dict[str, str] = {}
"""Reason → names of cases that no layer of a convolutional network needs."""

FAULTY: dict[str, str] = {}
"""Names of cases whose vector is wrong → the evidence."""
