"""Avro schemas of a person's own, judged by Avro's library. Hopsworks' registry is as strict, and
takes a further version of a subject only if that can read what the latest one wrote (BACKWARD)."""

from __future__ import annotations

import json


class NoSchemaError(ValueError):
    """Why something is no Avro schema."""


class UnreadableError(ValueError):
    """Why a schema cannot read the records of another."""


def check(schema: str) -> None:
    """Raises NoSchemaError for JSON that is no schema."""
    import avro.errors
    import avro.schema
    import fastavro

    try:
        avro.schema.parse(schema)
        fastavro.parse_schema(json.loads(schema))  # looks at default values and names of fields too
    except (avro.errors.AvroException, fastavro.schema.SchemaParseException) as error:
        raise NoSchemaError(str(error)[:200]) from error


def check_reads(reader: str, writer: str) -> None:
    """Raises UnreadableError if records of `writer` cannot be read with `reader`. Both are
    schemas."""
    import avro.schema
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    found = checker.get_compatibility(avro.schema.parse(reader), avro.schema.parse(writer))
    if found.compatibility is SchemaCompatibilityType.compatible:
        return
    kinds = {kind.value.replace("_", " ") for kind in found.incompatibilities}
    parts = [", ".join(sorted(part)) for part in (kinds, found.messages, found.locations)]
    raise UnreadableError("{} ({}) at {}".format(*parts))
