"""The online feature store: the latest row of every key, in SQLite instead of RonDB.

    types.py         what a feature is online: its column, the Avro it travels in, its value
    online_table.py  one feature group's table: create, append columns, write, look up
    store.py         the database of one project: transactions, which tables there are

Writing, as Hopsworks does it, through Kafka:

    wire.py, record_batch.py   Kafka's bytes
    broker.py, brokered.py     the calls that clients make, over the topics of all projects
    ingest.py, avro.py         rows out of record batches, into tables
    topics.py, subjects.py, ingestions.py   what a broker, a schema registry and OnlineFS remember
    endpoint.py                the broker's process
"""
