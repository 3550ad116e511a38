"""Target `node`: onnxruntime in Node.js."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import JAVASCRIPT, node_package

__all__ = ["TARGET"]


TARGET = Target(
    name="node",
    title="onnxruntime in Node.js",
    language="JavaScript",
    files=(JAVASCRIPT, Path(__file__).parent / "files"),
    check=("node", "check.mjs"),
    needs=(
        Need("Node.js", "install Node.js 18 or later", program="node"),
        Need(
            "onnxruntime-node",
            "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node, and set NODE_PATH to its node_modules",
            found=node_package("onnxruntime-node"),
        ),
    ),
    limits=("checked on onnxruntime's CPU provider",),
)
