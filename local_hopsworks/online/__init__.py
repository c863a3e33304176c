"""The online feature store: the latest row of every key, in SQLite instead of RonDB.

types.py         what a feature is online: its column, the Avro it travels in, its value
tables.py        one feature group's table: create, append columns, write, look up
store.py         the database of one project: transactions, which tables there are
"""
