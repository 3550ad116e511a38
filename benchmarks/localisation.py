"""A random fault in one layer of a random network of twelve layers: do the probes name that layer, and no other?

    python benchmarks/localisation.py [--trials N] [--first SEED]

A trial is a fault that changes an output of its network. Nothing passes or fails here.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import count, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from faulty.pinned import trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first network")
    asked = parser.parse_args()
    pinned = 0
    named: Counter[str] = Counter()
    for trial in islice(trials(count(asked.first)), asked.trials):
        pinned += trial.pinned
        named.update(set(trial.failed))
        if not trial.pinned:
            print(f"seed {trial.seed}: {trial.mutant} in {trial.layer}: named {', '.join(trial.named) or 'none'}")
    print(f"{pinned} of {asked.trials} faults were pinned to their layer; failed: {dict(named.most_common())}")


if __name__ == "__main__":
    main()
