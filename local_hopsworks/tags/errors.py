"""Hopsworks' error codes of tags."""

# The SDK compares with this one
TAG_NOT_FOUND = 370002
