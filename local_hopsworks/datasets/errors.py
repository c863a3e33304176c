"""Hopsworks' error codes of dataset storage."""

DATASET_NOT_FOUND = 110008
DATASET_EXISTS = 110012
FOLDER_NAME_INVALID = 110028
