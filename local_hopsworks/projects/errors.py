"""Hopsworks' error codes of projects and of the cluster's variables."""

VARIABLE_NOT_FOUND = 100032
PROJECT_NOT_FOUND = 150004
FEATURE_STORE_NOT_FOUND = 270008
