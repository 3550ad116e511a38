"""Compile the models of this folder for another processor: python compile.py --processor znver4 -o elsewhere

Asks for onnx and the compiler that compiler.py imports, which running a compiled model does not. The same bytes every time,
from the same versions of these.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from pathlib import Path

from compiler import compiled

HERE = Path(__file__).parent
PROCESSORS = {"x86_64": "x86-64-v3", "AMD64": "x86-64-v3"}
"""By the machine's type, what is compiled for unless another is named: x86-64-v3 has AVX2 and FMA."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--processor", default=PROCESSORS.get(platform.machine(), "generic"), help="by LLVM's name")
    words.add_argument("-o", "--output", type=Path, default=HERE, help="the folder for what is compiled")
    given = words.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for file in sorted(HERE.glob("*.onnx")):
        try:
            compiled(file, given.processor, given.output)
        except Exception as reason:
            said = re.findall(r"error: (.+)", str(reason)) or str(reason).strip().splitlines()[-1:]
            print(f"{file.name}: {type(reason).__name__}: {''.join(said[:1])}", file=sys.stderr)
            return 2
    print(json.dumps({"machine": platform.machine(), "processor": given.processor}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
