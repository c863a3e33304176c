"""Hopsworks' error codes of secrets."""

# The SDK compares with this one
SECRET_NOT_FOUND = 160048

# The other refusals, with the codes of Hopsworks' RESTCodes
SECRET_EXISTS = 160049
