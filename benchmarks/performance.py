"""Writes docs/performance.md: runs the benchmarks of speed and memory, each in a process of its own, and keeps what they print.

    python benchmarks/performance.py [--only SECTION …] [--clock wall|cpu]

With `--only`, the other sections of the page stay as they are. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from executors import DENSE, DEPTHWISE, OTHERS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
LONG = ("unet", "r3d_18")
QUICK = tuple(name for name in (*DENSE, *DEPTHWISE, *OTHERS) if name not in LONG)
TWICE = (*DENSE, *DEPTHWISE, *OTHERS)

HEAD = """# Performance

How fast the planned executor (`--runtime numpy:fast`, in Python `onnxconv.execute.fast`) is beside others that run on the CPU,
how its times grow, what its memory and a verified run cost. `python benchmarks/performance.py` writes this page, section by section
(`--only`). A ratio is the median of those within a round, in which everybody has one turn, with the least and the largest of
them in brackets. Where the machine is shared with other work (the load is told), time on the clock says little: with `--clock
cpu` the processor's time counts, which caches and memory shared with that work lengthen all the same. On your machine the
figures will differ; `onnxconv bench` times any models and runtimes.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """What benchmarks print, and what is to be known of it. `timed`: they take a clock."""

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    told: str
    timed: bool = True


SECTIONS = (
    Section(
        "networks",
        "Networks, one thread",
        (
            ("executors.py", *(f"specs/{name}.yaml" for name in QUICK)),
            ("executors.py", *(f"specs/{name}.yaml" for name in LONG), "--without", "onnx.reference", "--repeat", "3"),
        ),
        "A peer counts once, by its warm-up, where a run of it takes more than two seconds. PyTorch runs operator by\n"
        "operator (`benchmarks/torch_graph.py`).",
    ),
    Section(
        "threads",
        "Networks, two threads",
        (("executors.py", "--threads", "2", "--without", "onnx.reference", *(f"specs/{name}.yaml" for name in TWICE)),),
        "`numpy:fast` computes in two processes here, with the same bytes as in one (`tests/execute/test_crew.py`). With the\n"
        "processor's time it is that of the process that asks, one that waits in a loop too.",
    ),
    Section(
        "whole_numbers",
        "Whole numbers",
        (("whole_numbers.py",),),
        "onnxruntime multiplies bytes by instructions for bytes; NumPy has none, so that whole numbers go through float32\n"
        "products, exactly.",
    ),
    Section(
        "verified",
        "A verified run",
        (("verified.py",),),
        "The reference alone, and the same with every layer's error bound computed and the layer compared with it.",
    ),
    Section(
        "layers",
        "Layers beside the machine",
        (("layers.py",),),
        "Layers that are alike are taken together, each with what follows it elementwise.",
    ),
    Section("scaling", "How times grow", (("scaling.py",),), ""),
    Section(
        "memory",
        "Memory",
        (("memory.py",),),
        "Beside the peak of live activations that `onnxconv report` tells.",
        timed=False,
    ),
)


def written(section: Section, clock: str) -> str:
    """A section as its benchmarks print it now."""
    parts = [f"## {section.title}", section.told] if section.told else [f"## {section.title}"]
    for script, *options in section.commands:
        asked = [f"benchmarks/{script}", *options, *(["--clock", clock] if section.timed else [])]
        done = subprocess.run(
            [sys.executable, *asked], stdout=subprocess.PIPE, text=True, check=True, cwd=PAGE.parents[1]
        )
        parts += [f"`{shlex.join(['python', *asked])}` printed:", done.stdout.strip()]
    return "\n\n".join(parts) + "\n"


def there() -> dict[str, str]:
    """The page's sections by title."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in re.split(r"^## ", text, flags=re.M)[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=[section.name for section in SECTIONS], help="sections to write anew"
    )
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    asked = parser.parse_args()
    for section in SECTIONS:
        if asked.only is None or section.name in asked.only:
            print(f"{section.title} …", file=sys.stderr, flush=True)
            found = there() | {section.title: written(section, asked.clock)}
            parts = [found[one.title] for one in SECTIONS if one.title in found]
            PAGE.write_text("\n".join([HEAD, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
