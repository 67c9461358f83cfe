# `make` lists what there is. Every target sets up .venv first when it is missing or the lock has changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The commands in dvc.yaml name no interpreter, so that dvc.lock is the same on every machine.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without bytecode every process compiles what it imports: tens of seconds with torch.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test lint serve stop clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv with everything in requirements.lock, and Java for serving
	@scripts/setup.sh

demo: setup ## the whole way: data, pipeline, server, one request, its answer
	@scripts/demo.sh

test: setup ## the tests (ARGS='tests/audio -k decode' narrows them; -m docker runs those that need Docker)
	@pytest -m "not docker" $(ARGS)

lint: setup ## ruff, its formatter and mypy
	@ruff check .
	@ruff format --check .
	@mypy

serve: setup ## the champion under TorchServe in the foreground, at http://127.0.0.1:8080 (PORT=9080: there)
	@python -m handlers.serve $(if $(PORT),--port $(PORT))

stop: setup ## stops it
	@python -m handlers.serve --stop

clean: ## caches and logs; keeps .venv, data/, artifacts/, reports/ and registry/
	@rm -rf .pytest_cache .mypy_cache .ruff_cache build dist logs
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
	@echo "caches and logs are gone; kept: .venv data artifacts reports registry (remove those yourself if you mean it;"
	@echo "data/ and artifacts/ come back with 'dvc pull data.dvc' and 'dvc repro', registry/ holds the champion and does not)"
