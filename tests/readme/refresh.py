"""Rewrites the output shown in every `console` block with what the commands print now: python tests/readme/refresh.py [PAGE …]

Blocks that show ``...`` stand as they are. Look at the difference before you commit it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from test_readme import PAGES, ROOT, environment, tidy


def refreshed(block: str) -> str:
    if "..." in block:
        return block
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "specs", Path(folder) / "specs")
        shown = []
        for command in re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE):
            line = re.sub(r"\s+# exit \d+$", "", command)
            done = subprocess.run(
                line,
                shell=True,
                cwd=folder,
                env=environment(),
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            printed = tidy(done.stdout)
            shown.append(f"$ {command}\n{printed}\n" if printed else f"$ {command}\n")
    return "".join(shown)


def main() -> None:
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        text = page.read_text(encoding="utf-8")
        fresh = re.sub(
            r"(^```console\n)(.*?)(^```$)",
            lambda m: m[1] + refreshed(m[2]) + m[3],
            text,
            flags=re.MULTILINE | re.DOTALL,
        )
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            print(f"refreshed {page}")


if __name__ == "__main__":
    main()
