"""``python -m onnxconv``."""

from onnxconv.cli import main

main()
