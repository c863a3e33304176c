# `make` or `make help` lists the targets; `make run` is the one to begin with.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: help run backfill train passengers predict demo schedule daily hindcast deployment clean-hopsworks serve look apps predict-app monitor-app lint types-package types-programs types-tests browser test test-long test-reliability test-sdk-versions audit bench soak screenshots coverage deploy package lock clean
.DEFAULT_GOAL := help

$(BIN)/uv:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Name another: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.10 to 3.13 is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make run PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: requirements.lock | $(BIN)/uv
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.installed-for-tests: pyproject.toml $(VENV)/.installed
	@$(INSTALL) --constraints requirements.lock --group test
	@$(INSTALL) --no-deps --target $(VENV)/expectations --group expectations
	@$(INSTALL) --target $(VENV)/polars --group polars
	@# Compiled once; else each of the processes that run tests at once would do it
	@$(BIN)/python -m compileall -q -j 0 -x /tests/ $(VENV)/lib
	@touch $@

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

run: $(VENV)/.installed  ## set everything up, then the main job: backfill, train, 200 passengers, predict
	@$(BIN)/python tools/main_job.py

backfill: $(VENV)/.installed  ## store the historical passengers of data/titanic.csv
	@BACKFILL=True $(BIN)/python titanic_feature_pipeline.py

train: $(VENV)/.installed  ## train a model, and register it if it is fit to serve
	@$(BIN)/python titanic_training_pipeline.py

passengers: $(VENV)/.installed  ## make up synthetic passengers: PASSENGERS=200 make passengers
	@$(BIN)/python titanic_feature_pipeline.py

predict: $(VENV)/.installed  ## predict the passengers that have no prediction yet
	@$(BIN)/python titanic_batch_inference_pipeline.py

demo: run  ## 60 passengers whose sex was mixed up: the monitor's verdict becomes "Check the model"
	@$(BIN)/python tools/demo.py
	@$(BIN)/python titanic_batch_inference_pipeline.py

schedule: $(VENV)/.installed  ## hand all three pipelines to Hopsworks as scheduled jobs
	@for name in feature training batch_inference; do LOCAL=False $(BIN)/python titanic_$${name}_pipeline.py; done

daily: $(VENV)/.installed  ## a passenger, its prediction, and a check of what changed (needs an account)
	@$(BIN)/python tools/daily.py

hindcast: $(VENV)/.installed  ## how every registered model would have done on all synthetic passengers
	@$(BIN)/python tools/hindcast.py

deployment: $(VENV)/.installed  ## serve the model as a deployment, and ask it: PASSENGER=7 make deployment
	@$(BIN)/python tools/deploy_model.py

clean-hopsworks: $(VENV)/.installed  ## remove from the project what this repository made there
	@$(BIN)/python tools/clean_hopsworks.py

serve: $(VENV)/.installed  ## keep the embedded Hopsworks running, with its scheduled jobs, until Ctrl-C
	@$(BIN)/python -m local_hopsworks serve

look: $(VENV)/.installed  ## look around in the store with the browser, until Ctrl-C
	@$(BIN)/python -m local_hopsworks serve --open

# With HOPSWORKS_API_KEY the apps go to that account, without it to the Hopsworks of this repository
WITH_HOPSWORKS = $(if $(HOPSWORKS_API_KEY),,$(BIN)/python -m local_hopsworks run --)

apps: $(VENV)/.installed  ## both apps, until Ctrl-C
	@$(WITH_HOPSWORKS) $(BIN)/python tools/apps.py

predict-app: $(VENV)/.installed  ## would they have survived?
	@$(WITH_HOPSWORKS) $(BIN)/python huggingface-spaces-titanic/app.py

monitor-app: $(VENV)/.installed  ## how does the model do?
	@$(WITH_HOPSWORKS) $(BIN)/python huggingface-spaces-titanic-monitor/app.py

lint: $(VENV)/.installed-for-tests  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff check --quiet --config 'lint.mccabe.max-complexity = 8' titanic_*.py huggingface-spaces-*
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory -j types-package types-programs types-tests $(addprefix types-,$(wildcard huggingface-spaces-*))

MYPY = mypy --cache-dir $(CURDIR)/.mypy_cache/$@ --no-error-summary
PLAIN = --config-file= --ignore-missing-imports --check-untyped-defs

types-package:
	@$(BIN)/$(MYPY)

types-programs:
	@$(BIN)/$(MYPY) $(PLAIN) titanic_*.py tools/*.py

types-tests:  # of the programs that tests start, and of what starts them
	@$(BIN)/$(MYPY) $(PLAIN) --explicit-package-bases --follow-imports=silent \
	  tests/programs tests/*/programs tests/processes.py tests/rest.py

types-huggingface-%:
	@cd huggingface-$* && ../$(BIN)/$(MYPY) $(PLAIN) --disallow-untyped-defs *.py

# The tests of the apps need a browser: installed where that is allowed (as root, on Debian or Ubuntu)
browser:
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { test "$$(id -u)" = 0 && { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y chromium; } >/dev/null; } \
	  || { echo "No Chromium was found. Install one (apt-get install chromium), or name one: CHROMIUM=/path make test"; exit 1; }

PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

# Three at once on two cores: the SDK waits now and then. Files in the order in which tests/conftest.py puts them
test: lint browser  ## set everything up, then all tests but the long ones
	@$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/.installed-for-tests browser  ## whole stories: fresh clone, tools, other people's programs, fresh environments
	@$(PYTEST) -m long -n 3 --dist loadfile --no-loadscope-reorder

test-reliability: $(VENV)/.installed-for-tests  ## faults, load and attacks: more of them than make test
	@$(PYTEST) tests/reliability -m "" -n 2 --dist loadfile

test-sdk-versions: $(VENV)/.installed-for-tests  ## one suite of tests with the last three minor versions of the SDK
	@$(PYTEST) tests/universal/sdk_versions.py -q

audit: $(VENV)/.installed  ## known vulnerabilities of what is installed, as PyPI tells them
	@$(BIN)/uv tool run --quiet 'pip-audit>=2.9,<3' --strict --progress-spinner off \
	  --path "$$($(BIN)/python -c 'from sysconfig import get_path; print(get_path("purelib"))')"

bench: $(VENV)/.installed-for-tests  ## measure, as ratios; BENCH_SIZES="1e3 1e5" for other sizes
	@$(BIN)/python -m pytest tests/benchmarks --ignore=tests/benchmarks/test_soak.py \
	  -o addopts=--import-mode=importlib -s -q

soak: $(VENV)/.installed-for-tests  ## 2,000 small inserts, then an hour of mixed load: what they cost as history grows
	@$(BIN)/python -m pytest tests/benchmarks/test_soak.py -o addopts=--import-mode=importlib -s -q

screenshots: $(VENV)/.installed-for-tests  ## the pictures in both READMEs
	@export LOCAL_HOPSWORKS_HOME=$$(mktemp -d); $(MAKE) --no-print-directory demo \
	  && $(BIN)/python -m local_hopsworks run -- $(BIN)/python tools/screenshots.py; rm -r $$LOCAL_HOPSWORKS_HOME

coverage: $(VENV)/.installed-for-tests  ## local_hopsworks/COVERAGE.md: every public method of the SDK
	@store=$$(mktemp -d) && PYTHONPATH=$(VENV)/expectations GX_ANALYTICS_ENABLED=False $(BIN)/python -m local_hopsworks run \
	  --home $$store -- $(BIN)/python tests/local_hopsworks/sdk_coverage 2>/dev/null >$$store.md \
	  && mv $$store.md local_hopsworks/COVERAGE.md && rm -r $$store

deploy: $(VENV)/.installed  ## both apps to your Hugging Face account
	@$(BIN)/python tools/deploy_spaces.py

package: $(BIN)/uv  ## local-hopsworks as sdist and wheel in dist/, checked
	@rm -rf dist && $(BIN)/uv build --quiet --out-dir dist
	@$(BIN)/uv tool run --quiet 'twine>=6,<7' check --strict dist/*.whl dist/*.tar.gz

lock: $(BIN)/uv  ## the newest versions that requirements.txt allows, for every platform, with hashes
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.10 \
	  --custom-compile-command "make lock" requirements.txt -o requirements.lock

clean:  ## remove the environment; the store stays (python -m local_hopsworks reset deletes that)
	rm -rf $(VENV)
