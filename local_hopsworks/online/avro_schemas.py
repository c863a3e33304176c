"""Avro schemas of a person's own: what is one, and which can read the records of another.

Hopsworks' registry is as strict as Avro's own parser, and takes a further version of a subject
only if it can read what the latest one wrote (its compatibility BACKWARD).
"""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*", re.ASCII)
_NAMED = ("record", "error", "enum", "fixed")
_NUMBERS = ("int", "long", "float", "double")
# What a type can also be read as
_PROMOTED = {
    **{kind: _NUMBERS[position + 1 :] for position, kind in enumerate(_NUMBERS)},
    "string": ("bytes",),
    "bytes": ("string",),
}
Schema = Any  # JSON


class NoSchemaError(ValueError):
    """Why something is no Avro schema."""


class UnreadableError(ValueError):
    """Why a schema cannot read the records of another."""


def check(schema: Schema) -> None:
    """Raises NoSchemaError for what is none."""
    import fastavro

    _check(schema)
    try:
        fastavro.parse_schema(schema)
    except fastavro.schema.UnknownType as error:
        raise NoSchemaError(f"{_kind(error.name)[:80]!r} is no type") from error
    except Exception as error:  # it raises many kinds
        raise NoSchemaError(str(error)[:200]) from error


def _check(schema: Schema) -> None:
    if isinstance(schema, list):
        kinds = [_kind(branch) for branch in schema]
        if "union" in kinds:
            raise NoSchemaError("a union stands in another")
        _must_differ([each for each in kinds if each not in _NAMED], "types of a union")
        for branch in schema:
            _check(branch)
    elif isinstance(schema, dict) and "type" in schema:
        _check_type(schema)
    elif not isinstance(schema, str):
        raise NoSchemaError(f"{str(schema)[:80]} has no type")


def _check_type(schema: Schema) -> None:
    kind = schema["type"]
    if isinstance(kind, dict | list):
        _check(kind)
    if kind in _NAMED:
        _check_name(schema.get("name"))
    if kind in ("array", "map"):
        of = "items" if kind == "array" else "values"
        _check(_must_have(schema, of, (str, dict, list)))
    elif kind == "fixed" and _must_have(schema, "size", int) < 0:
        raise NoSchemaError(f"a size is not negative, as {schema['size']} is")
    elif kind == "enum":
        _must_differ(_must_have(schema, "symbols", list), "symbols of an enum")
    elif kind in ("record", "error"):
        fields = _must_have(schema, "fields", list)
        for field in fields:
            _check(_must_have(field, "type", (str, dict, list)))
            _check_name(field.get("name"))
        _must_differ([field["name"] for field in fields], "fields of a record")


def _must_have(schema: Schema, key: str, type_: Any) -> Any:
    if not isinstance(schema, dict) or not isinstance(schema.get(key), type_):
        raise NoSchemaError(f"{str(schema)[:80]} has no {key}")
    return schema[key]


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise NoSchemaError(
            f"a name is letters, digits and underscores, the first no digit, not {str(name)[:80]!r}"
        )


def _must_differ(listed: list[Any], what: str) -> None:
    for each in listed:
        if listed.count(each) > 1:
            raise NoSchemaError(f"two {what} are {str(each)[:80]!r}")


def _kind(schema: Schema) -> str:
    if isinstance(schema, list):
        return "union"
    return _kind(schema["type"]) if isinstance(schema, dict) else str(schema)


def check_reads(reader: Schema, writer: Schema) -> None:
    """Raises UnreadableError if records of `writer` cannot be read with `reader`. Both are
    schemas."""
    _Reading(reader, writer).check(reader, writer)


class _Reading:
    """Whether one schema reads another; a type may stand for itself by its name."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self._reader_types, self._writer_types = dict(_named(reader)), dict(_named(writer))
        self._begun: set[tuple[int, int]] = set()  # pairs of records, which may hold themselves

    def check(self, reader: Schema, writer: Schema) -> None:
        reader, writer = _meant(reader, self._reader_types), _meant(writer, self._writer_types)
        ours, theirs = _kind(reader), _kind(writer)
        if theirs == "union":
            for branch in writer:
                self.check(reader, branch)
        elif ours == "union":
            if not any(self._reads(branch, writer) for branch in reader):
                raise UnreadableError(f"{theirs} is none of the types of its union")
        elif ours == theirs:
            self._check_parts(ours, reader, writer)
        elif ours not in _PROMOTED.get(theirs, ()):
            raise UnreadableError(f"{theirs} cannot be read as {ours}")

    def _reads(self, reader: Schema, writer: Schema) -> bool:
        try:
            self.check(reader, writer)
        except UnreadableError:
            return False
        return True

    def _check_parts(self, kind: str, reader: Schema, writer: Schema) -> None:
        if kind in _NAMED and _last(reader["name"]) != _last(writer["name"]):
            raise UnreadableError(f"{writer['name']!r} is called {reader['name']!r}")
        if kind == "array":
            self.check(reader["items"], writer["items"])
        elif kind == "map":
            self.check(reader["values"], writer["values"])
        elif kind == "fixed" and reader["size"] != writer["size"]:
            raise UnreadableError(f"{reader['name']!r} has another size")
        elif kind == "enum" and "default" not in reader:
            if missing := sorted(set(writer["symbols"]) - set(reader["symbols"])):
                raise UnreadableError(f"{reader['name']!r} lacks the symbol {missing[0]!r}")
        elif kind == "record" and (id(reader), id(writer)) not in self._begun:
            self._begun.add((id(reader), id(writer)))
            self._check_fields(reader, writer)

    def _check_fields(self, reader: Schema, writer: Schema) -> None:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            names = [field["name"], *field.get("aliases", [])]
            found = next((written[name] for name in names if name in written), None)
            if found is not None:
                try:
                    self.check(field["type"], found["type"])
                except UnreadableError as error:
                    raise UnreadableError(f"in the field {field['name']!r} {error}") from error
            elif "default" not in field:
                raise UnreadableError(f"the field {field['name']!r} is new and has no default")


def _named(schema: Schema) -> Any:
    """The types that are given a name anywhere in a schema."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _named(branch)
    elif isinstance(schema, dict):
        if schema["type"] in _NAMED:
            yield _last(schema["name"]), schema
        for part in (schema["type"], schema.get("items"), schema.get("values")):
            yield from _named(part)
        for field in schema.get("fields", []):
            yield from _named(field["type"])


def _meant(schema: Schema, types: dict[str, Schema]) -> Schema:
    """The type that a schema names or is wrapped around."""
    while isinstance(schema, dict) and isinstance(schema["type"], dict | list):
        schema = schema["type"]
    name = schema["type"] if isinstance(schema, dict) else schema
    return types.get(_last(name), schema) if isinstance(name, str) else schema


def _last(name: str) -> str:
    return name.rpartition(".")[2]
