# make run     set everything up, then the main job on the 891 passengers
# make test    set everything up, then every test
# make clean   remove the environment; the store stays (python -m local_hopsworks reset deletes that)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: run test lint clean
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

lint: $(VENV)/.installed-for-tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

clean:
	rm -rf $(VENV)
