"""The rows of a query, as tests compare them."""


def rows(query):
    """All rows of a query in the order of their keys, as a limit has them. Unlike `read()`,
    `read_batches()` shows no animation, which would take half a second."""
    with (query if query._limit is not None else query.limit(1000)).read_batches() as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def column(query, name="id"):
    return [row[name] for row in rows(query)]
