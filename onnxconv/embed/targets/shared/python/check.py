"""Check this folder: python check.py

Every file must be what SHA256SUMS and bundle.json say, and every output within its tolerance (0: equal bit for bit). Exits
with 0 if so, 1 where a file was changed or an output is wrong, 2 where the model cannot be run.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SUMS, LISTED = "SHA256SUMS", "bundle.json"


def digest(name: str) -> str:
    """SHA-256 of a file; empty where there is none."""
    return hashlib.sha256((HERE / name).read_bytes()).hexdigest() if (HERE / name).is_file() else ""


def changed() -> list[str]:
    """The files that are not as they were written: SHA256SUMS vouches for bundle.json, and that for all others."""
    lines = (HERE / SUMS).read_bytes().decode(errors="replace").splitlines() if (HERE / SUMS).is_file() else []
    sums = [tuple(reversed(line.split("  ", 1))) for line in lines]
    own = (LISTED, digest(LISTED))
    if own not in sums:
        return [f"{LISTED} or {SUMS}"]
    known = [(name, it["sha256"]) for name, it in json.loads((HERE / LISTED).read_bytes())["files"].items()]
    found = [name for name, sum in known if digest(name) != sum]
    return found if sorted(sums) == sorted([own, *known]) else [*found, SUMS]


def array(entry: dict[str, Any]) -> np.ndarray:
    """One array of golden.json."""
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    return np.fromfile(HERE / "golden" / entry["file"], dtype).reshape(entry["shape"])


def wrong(got: np.ndarray | None, expected: np.ndarray, tolerance: float) -> str:
    """What is wrong with an output, in words; empty if nothing is."""
    if got is None or got.shape != expected.shape or got.dtype != expected.dtype:
        is_there = "missing" if got is None else f"{got.dtype} {list(got.shape)}"
        return f"it is {is_there}, not {expected.dtype} {list(expected.shape)}"
    off = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    bad = ~(off <= tolerance)
    if not bad.any():
        return ""
    at = np.unravel_index(np.argmax(np.where(bad, np.nan_to_num(off, nan=np.inf), -1)), off.shape)
    where = [int(i) for i in at]
    return f"{int(bad.sum())} of {bad.size} elements; at {where} {got[at]!r} instead of {expected[at]!r}"


def main() -> int:
    if found := changed():
        print("changed:", ", ".join(found))
        return 1
    failed = False
    for golden in json.loads((HERE / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"]:
        begun = time.perf_counter()
        try:
            from model import Model  # the first time, the runtime itself is loaded

            model = Model(HERE / golden["model"])
            loaded = time.perf_counter()
            got = model.run({entry["name"]: array(entry) for entry in golden["inputs"]})
        except Exception as error:
            print(f"cannot run {golden['model']}: {error}")
            return 2
        done = time.perf_counter()
        print(f"{golden['name']}: loaded in {1e3 * (loaded - begun):.1f} ms, ran in {1e3 * (done - loaded):.1f} ms")
        for entry in golden["outputs"]:
            reason = wrong(got.get(entry["name"]), array(entry), entry["tolerance"])
            print(f"  {entry['name']}: {reason or 'right'} (tolerance {entry['tolerance']:g}, {entry['basis']})")
            failed = failed or bool(reason)
    print("FAILED" if failed else "ok")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
