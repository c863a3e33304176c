"""Starts the embedded Hopsworks over the store, and logs in; imports what the pipelines import."""

from importlib import import_module

from local_hopsworks import login

import_module("tests.benchmarks.programs.import_packages")
login().get_feature_store()
