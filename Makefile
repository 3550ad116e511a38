.PHONY: check lint types test slow format

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
