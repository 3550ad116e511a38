.PHONY: check lint types test slow format templates

PYTHON ?= python

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

slow:
	$(PYTHON) -m pytest -m slow

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# The files of bundles that are not Python, by what tests/embed/test_templates.py demands.
templates:
	cd onnxconv/embed/targets && clang-format -i $$(git ls-files '*.[ch]' '*.[ch]pp')
	cd onnxconv/embed/targets && npx prettier --write $$(git ls-files '*.js' '*.mjs' '*.html' '*.json' '*.md')
	cd onnxconv/embed/targets && shfmt -w $$(git ls-files '*.sh')
