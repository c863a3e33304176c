"""The online feature store: the latest row of every key, in SQLite instead of RonDB.

    types.py         what a feature is online: its column, the Avro it travels in, its value
    online_table.py  one feature group's table: create, append columns, write, look up
    store.py         the database of one project: transactions, which tables there are

Writing, as Hopsworks does it, through Kafka:

    feature_groups.py          what a group's creation, change and deletion mean online
    routes.py, kafka.py        where the SDK finds Kafka, in which schema it writes; the process
    endpoint.py, broker.py, brokered.py   the broker in that process, over all topics of the store
    wire.py, record_batch.py   Kafka's bytes
    ingest.py, avro.py         rows out of record batches, into tables
    topics.py, subjects.py, ingestions.py   what a broker, a schema registry and OnlineFS remember
    kafka_routes.py, coordinator.py, consumer_groups.py   a person's own topics, and who reads them
    materialise.py, arrow.py   the offline half of stream groups: out of the topic, into Delta
    writes.py, halves.py, check.py, recovery.py   what a killed program leaves, and its repair

Reading, as the SDK does it, with SQL unless it is told to use REST:

    connector.py               where the SDK finds both
    prepared_statements.py, read_statement.py   SQL that is handed out: of a view, of a query
    statements.py              its signature, and the values in it when it comes back
    executable.py, results.py  what SQLite makes of it, and how MySQL writes the rows
    mysql_wire.py, sql_endpoint.py   MySQL's bytes, and the port 3306
    feature_server.py, vectors.py, view_reads.py, json_values.py   the REST feature server
"""
