"""Hopsworks' error codes of the model registry."""

# The SDK compares with this one
MODEL_NOT_FOUND = 360000
