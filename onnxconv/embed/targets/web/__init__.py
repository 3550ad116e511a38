"""Target `web`: onnxruntime in a browser, by WebAssembly."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import JAVASCRIPT, browser, node_package

__all__ = ["TARGET"]

TARGET = Target(
    name="web",
    title="onnxruntime in a browser",
    language="JavaScript",
    files=(JAVASCRIPT, Path(__file__).parent / "files"),
    check=("node", "check.js"),
    needs=(
        Need("Node.js", "install Node.js 18 or later", program="node"),
        Need(
            "onnxruntime-web",
            "npm install onnxruntime-web, and set NODE_PATH to its node_modules",
            found=node_package("onnxruntime-web"),
        ),
        Need("Chromium", "apt install chromium, or set CHROMIUM to the path of a browser like it", found=browser),
    ),
    limits=(
        "checked by WebAssembly in one thread, in a headless Chromium; by WebGPU only with node check.js --webgpu",
    ),
)
