# make run     set everything up, then the main job on the 891 passengers
# make apps    both apps, showing what make run made, until Ctrl-C; make predict-app, make monitor-app one of them
# make test    set everything up, then every test
# make test-reliability   faults, load and attacks: more of them than make test tries, and a table of what was survived
# make train, make daily    what the workflows run on an account: train; a passenger, its prediction, and did all change?
# make schedule, make hindcast    hand the pipelines to Hopsworks; every registered model on all passengers so far
# make test-sdk-versions  one suite of tests with the last three minor versions of the SDK
# make audit   known vulnerabilities of what requirements.txt installs, as PyPI tells them
# make bench   how the embedded Hopsworks compares with the same work done bare, as ratios; make soak: over 2,000 inserts
# make deploy  both apps to your Hugging Face account; needs HF_TOKEN and HOPSWORKS_API_KEY
# make clean-hopsworks    remove from the project what this repository made there, after showing what that is
# make clean   remove the environment; the store stays (python -m local_hopsworks reset deletes that)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: run train daily schedule hindcast clean-hopsworks apps predict-app monitor-app browser test test-sdk-versions test-reliability audit bench soak lint coverage screenshots deploy clean
.DEFAULT_GOAL := run

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.10 to 3.13 is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make run PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: requirements.txt | $(BIN)/uv
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-for-tests: pyproject.toml $(VENV)/.installed
	@$(INSTALL) -r requirements.txt --group test
	@$(INSTALL) --no-deps --target $(VENV)/expectations --group expectations
	@$(INSTALL) --target $(VENV)/polars --group polars
	@touch $@

# Passengers are made and predicted until the model has said both "survived" and "died"; with both in the history already
# nothing more is made, so a second run changes nothing.
run: $(VENV)/.installed
	@BACKFILL=True $(BIN)/python titanic_feature_pipeline.py
	@$(BIN)/python titanic_training_pipeline.py
	@if said=$$($(BIN)/python titanic_batch_inference_pipeline.py 2>/dev/null) && grep -q "^Both outcomes" <<< "$$said"; then \
	   echo "$$said"; exit; \
	 fi; \
	 for passenger in {1..30}; do \
	   $(BIN)/python titanic_feature_pipeline.py; \
	   $(BIN)/python titanic_batch_inference_pipeline.py | tee $(VENV)/said; \
	   grep -q "^Both outcomes" $(VENV)/said && exit; \
	 done; \
	 echo "Thirty passengers, and the model predicted the same for all of them: look at its confusion matrix."; exit 1

train: $(VENV)/.installed
	@$(BIN)/python titanic_training_pipeline.py

daily: $(VENV)/.installed
	@$(BIN)/python .ci/daily.py

schedule: $(VENV)/.installed
	@for name in feature training batch_inference; do LOCAL=False $(BIN)/python titanic_$${name}_pipeline.py; done

hindcast: $(VENV)/.installed
	@HINDCAST=True $(BIN)/python titanic_batch_inference_pipeline.py

clean-hopsworks: $(VENV)/.installed
	@$(BIN)/python .ci/clean_hopsworks.py

# With HOPSWORKS_API_KEY the apps go to that account, without it to the Hopsworks of this repository. Started at the same
# moment they would fight for a port, so one looks for a free even one and the other for an odd one
WITH_HOPSWORKS = $(if $(HOPSWORKS_API_KEY),,$(BIN)/python -m local_hopsworks run --)
free_port = $$($(BIN)/python -c 'from socket import socket; \
  print(next(port for port in range($(1), 7960, 2) if socket().connect_ex(("127.0.0.1", port))))')

apps: $(VENV)/.installed
	@$(MAKE) --no-print-directory --jobs=2 predict-app monitor-app

predict-app: $(VENV)/.installed
	@GRADIO_SERVER_PORT=$${GRADIO_SERVER_PORT:-$(call free_port,7860)} \
	  $(WITH_HOPSWORKS) $(BIN)/python huggingface-spaces-titanic/app.py

monitor-app: $(VENV)/.installed
	@GRADIO_SERVER_PORT=$${GRADIO_SERVER_PORT:-$(call free_port,7861)} \
	  $(WITH_HOPSWORKS) $(BIN)/python huggingface-spaces-titanic-monitor/app.py

lint: $(VENV)/.installed-for-tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# The tests of the apps need a browser: installed where that is allowed (as root, on Debian or Ubuntu)
browser:
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { test "$$(id -u)" = 0 && { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y chromium; } >/dev/null; } \
	  || { echo "No Chromium was found. Install one (apt-get install chromium), or name one: CHROMIUM=/path make test"; exit 1; }

# Three at once on two cores: the SDK waits a lot. Files in the order in which tests/conftest.py puts them
test: lint browser
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# `make test` runs a smaller share of these
test-reliability: $(VENV)/.installed-for-tests
	@$(BIN)/python -m pytest tests/reliability -m "" -n 2 --dist loadfile

# The newest patch of the last three minor versions of the SDK, each in an environment of its own
test-sdk-versions: $(VENV)/.installed-for-tests
	@$(BIN)/python -m pytest tests/universal/sdk_versions.py -q

audit: $(VENV)/.installed
	@$(BIN)/uv tool run --quiet 'pip-audit>=2.9,<3' --strict --progress-spinner off \
	  --path "$$($(BIN)/python -c 'from sysconfig import get_path; print(get_path("purelib"))')"

# BENCH_SIZES="1e3 1e5" for other sizes than a thousand to a million rows
bench: $(VENV)/.installed-for-tests
	@$(BIN)/python -m pytest tests/benchmarks --ignore=tests/benchmarks/test_soak.py \
	  -o addopts=--import-mode=importlib -s -q

# Some minutes: 2,000 small inserts and reads, and what they cost as the table's history grows
soak: $(VENV)/.installed-for-tests
	@$(BIN)/python -m pytest tests/benchmarks/test_soak.py -o addopts=--import-mode=importlib -s -q

# The two pictures in README.md
screenshots: $(VENV)/.installed-for-tests
	@MORE_PASSENGERS=12 $(BIN)/python -m pytest tests/apps -n 2 --dist loadfile \
	  -k "default_passenger_is_shown or new_prediction_appears"
	@cp tests/screenshots/predict_desktop_light.png assets/screenshot_predict.png
	@cp tests/screenshots/monitor_desktop_light.png assets/screenshot_monitor.png

# What the embedded Hopsworks does with every public method of the SDK, made anew; test_coverage.py compares
coverage: $(VENV)/.installed-for-tests
	@store=$$(mktemp -d) && PYTHONPATH=$(VENV)/expectations GX_ANALYTICS_ENABLED=False $(BIN)/python -m local_hopsworks run \
	  --home $$store -- $(BIN)/python tests/local_hopsworks/sdk_coverage 2>/dev/null >$$store.md \
	  && mv $$store.md local_hopsworks/COVERAGE.md && rm -r $$store

deploy: $(VENV)/.installed
	@$(BIN)/python .ci/deploy_spaces.py

clean:
	rm -rf $(VENV)
