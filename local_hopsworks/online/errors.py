"""Hopsworks' error codes of the online feature store, from its RESTCodes."""

ONLINE_NOT_ENABLED = 270064
MYSQL_NOT_REACHABLE = 270066
