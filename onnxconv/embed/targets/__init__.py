"""Targets that come with onnxconv, each a folder with a manifest and files."""
