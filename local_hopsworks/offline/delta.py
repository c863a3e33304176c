"""The Delta tables below feature groups: where they are, how they open, which columns they lack.
Clients write them (delta-rs inside the SDK); this side reads, and appends columns."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hopsworks.errors import HopsworksError, NotFound
from local_hopsworks.feature_store.errors import FEATURE_GROUP_NOT_FOUND
from local_hopsworks.offline import archive
from local_hopsworks.offline.plan import Table
from local_hopsworks.store import cleared

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

_SPARK_TYPES = {"bigint": "long", "int": "integer", "smallint": "short", "tinyint": "byte"}
_PRIMITIVES = {
    "long",
    "integer",
    "short",
    "byte",
    "float",
    "double",
    "boolean",
    "string",
    "binary",
    "date",
    "timestamp",
}
COMMIT = re.compile(r"\d{20}(\.json|\.checkpoint\..*)")
_DECIMAL = re.compile(r"decimal\(\d{1,2}, ?\d{1,2}\)")


def path(location: str) -> Path:
    """The folder a `file://` location means."""
    return Path(urllib.request.url2pathname(urllib.parse.urlparse(location).path))


def has_commits(table: Path) -> bool:
    """Whether rows were ever written there. A writer that was killed early leaves a folder without
    a commit."""
    log = table / "_delta_log"
    return log.is_dir() and any(COMMIT.fullmatch(entry.name) for entry in log.iterdir())


def find(location: str) -> Path | None:
    """Where the rows are; None if there are none. Until an overwrite has written the new ones, it
    is the old ones."""
    table = path(location)
    return next((found for found in (table, cleared(table)) if has_commits(found)), None)


def must_find(location: str, name: str) -> Path:
    """Raises NotFound if nothing was ever inserted; the SDK shows its text only if it starts like
    Hopsworks' own."""
    if (folder := find(location)) is None:
        raise NotFound(
            f"No data found for featuregroup {name}: nothing was inserted yet.",
            FEATURE_GROUP_NOT_FOUND,
        )
    return folder


def open_table(table: Path, name: str, whole: Path | None = None) -> Any:
    """A DeltaTable. Raises HopsworksError, which names the table, if its log cannot be read."""
    from deltalake import DeltaTable  # built into hops-deltalake; 0.1 s, and only reading needs it
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable((whole or table).as_uri())
    except (DeltaError, OSError, ValueError) as error:
        raise damaged(table, name, str(error).partition("\n")[0]) from error


def must_have(table: Path, name: str, files: Sequence[str]) -> None:
    """Raises HopsworksError, which names it, if one of the files is missing."""
    if lost := next((file for file in files if not (table / file).is_file()), None):
        raise damaged(table, name, f"its file {lost} is missing")


def dataset(opened: Any, folder: Path) -> pads.Dataset:
    """The rows of an open table, whose files are in `folder`."""
    import pyarrow.fs as pafs

    # Arrow's own file system: reading through deltalake's takes longer and, left to threads, can
    # abort Python's exit.
    files = pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem())
    return opened.to_pyarrow_dataset(filesystem=files)


def rows(opened: Any, folder: Path, table: Table) -> pads.Dataset:
    """The same, with NULL for the features that the files lack. Raises HopsworksError if one of the
    files is missing."""
    import pyarrow as pa

    stored = dataset(opened, folder)
    must_have(folder, table.name, stored.files)
    missing = missing_fields(stored.schema, table.features)
    return stored.replace_schema(pa.schema([*stored.schema, *missing])) if missing else stored


def damaged(table: Path, name: str, problem: str) -> HopsworksError:
    """The SDK shows its user a text of a read only if it begins like one of Hopsworks' own."""
    return HopsworksError(
        f"No delta logs found for featuregroup {name} that are whole: {problem[:300].rstrip('.')}. "
        f"The table is {table}; python -m local_hopsworks check says what can be done.",
        status=500,
    )


def missing_fields(schema: pa.Schema, features: Sequence[tuple[str, str]]) -> list[pa.Field]:
    """Those of the features (name and type) that the schema lacks: they were appended after the
    rows were inserted, or the program that appended them died halfway."""
    missing = [feature for feature in features if feature[0] not in schema.names]
    if not missing:
        return []
    import pyarrow as pa
    from deltalake import Field
    from deltalake.schema import Schema

    fields = [Field(name, _delta_type(name, type_), nullable=True) for name, type_ in missing]
    return list(pa.schema(Schema(fields).to_arrow()))


def add_columns(location: str, features: list[dict[str, Any]]) -> None:
    """Give the table the columns it lacks of `features`; stored rows have NULL there."""
    folder = find(location)
    if folder is None:
        return  # the first insert will create the table with all of them
    from deltalake import Field

    # Of two transactions, this and a compaction, the later one would fail
    with archive.held(folder):
        table = open_table(folder, folder.name)
        present = {field.name for field in table.schema().fields}
        missing = [feature for feature in features if feature["name"] not in present]
        if missing:
            table.alter.add_columns(
                [
                    Field(
                        feature["name"],
                        _delta_type(feature["name"], feature.get("type")),
                        nullable=True,
                    )
                    for feature in missing
                ]
            )


def _delta_type(name: str, type_: object) -> Any:
    from deltalake import Field
    from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType

    def parsed(text: str) -> Any:
        kind, _, inside = text.removesuffix(">").partition("<")
        parts = type_parts(inside)
        match kind.strip().lower(), parts:
            case "array", [items]:
                return ArrayType(parsed(items), contains_null=True)
            case "map", [key, value]:
                return MapType(parsed(key), parsed(value), value_contains_null=True)
            case "struct", _:
                fields = [part.partition(":") for part in parts]
                return StructType([Field(of.strip(), parsed(type_)) for of, _, type_ in fields])
        text = text.strip().lower()
        primitive = _SPARK_TYPES.get(text, text)
        if primitive not in _PRIMITIVES and not _DECIMAL.fullmatch(primitive):
            raise HopsworksError(
                f"The feature {name!r} has type {str(type_)[:80]!r}, which cannot be appended here."
            )
        return PrimitiveType(primitive)

    return parsed(str(type_))


def type_parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets: the parts of a nested type."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
