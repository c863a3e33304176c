"""Hopsworks' error codes of jobs, executions and schedules."""

# The SDK compares with this one
JOB_NOT_FOUND = 130009

# The other refusals, with the codes of Hopsworks' RESTCodes
UNSUPPORTED_JOB_TYPE = 130002
ILLEGAL_JOB_NAME = 130006
EXECUTION_NOT_FOUND = 130007
ILLEGAL_EXECUTION_STATE = 130010
JOB_NOT_CREATED = 130013
JOB_SCHEDULE_NOT_UPDATED = 130021
JOB_SCHEDULE_NOT_FOUND = 130042
