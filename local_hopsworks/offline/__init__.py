"""The query half of the embedded Hopsworks: from the SDK's Query JSON to rows over Arrow Flight.

planner.py  Query JSON -> Plan: every name and value checked against the stored feature groups
plan.py     what a Plan is
sql.py      Plan -> SQL
delta.py    the Delta tables: where they are, how they open, new columns
present.py  their rows as they are now
history.py  their rows as of a time, changes, commits
delta_log.py    what can be wrong with one
compaction.py   small files into large ones, between writes
archive.py      the older part of a table's log
run.py      Plan -> Arrow record batches
service.py  starts the query service when it is first asked for
query_service.py   Arrow Flight: who may ask, and the answer as a stream
training_files.py  training data as files
profile.py  descriptive statistics

pyarrow and DuckDB take half a second to import: other modules load them when they are first
needed.
"""
