"""Target `node`: onnxruntime in Node.js."""

import subprocess
from pathlib import Path

from onnxconv.embed.target import Need, Target

__all__ = ["TARGET"]


def _resolves() -> bool:
    """Node.js finds the package: in a folder above, or by NODE_PATH."""
    try:
        asked = subprocess.run(["node", "-e", "require.resolve('onnxruntime-node')"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0


TARGET = Target(
    name="node",
    title="onnxruntime in Node.js",
    language="JavaScript",
    files=(Path(__file__).parent / "files",),
    check=("node", "check.js"),
    needs=(
        Need("Node.js", "install Node.js 18 or later", program="node"),
        Need(
            "onnxruntime-node",
            "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node, and set NODE_PATH to its node_modules",
            found=_resolves,
        ),
    ),
    limits=("checked on onnxruntime's CPU provider",),
)
