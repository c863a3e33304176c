"""What Hopsworks refuses to keep online, because RonDB could not.

From its FeatureGroupInputValidation and FeaturestoreConstants, whose figures the documentation of
5.2 has too. Of the types of a key the documentation names those below; the public source, which is
older, also refuses dates, times and decimals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from local_hopsworks.errors import HopsworksError
from local_hopsworks.online.errors import ONLINE_FEATURE_GROUP_NOT_CREATED
from local_hopsworks.online.online_table import Table
from local_hopsworks.online.types import Column

MOST_COLUMNS = 500
MOST_ROW_BYTES = 30_000
MOST_KEY_BYTES = 4_000
_SMALLER = {"int": ("tinyint", "smallint"), "boolean": ("tinyint",)}
_TEXTS = ("text", "mediumtext", "longtext")
_BLOBS = ("blob", "mediumblob", "longblob")
_NO_KEYS = ("float", "double", *_TEXTS, *_BLOBS)
_BYTES = {"tinyint": 1, "smallint": 2, "int": 4, "float": 4, "blob": 256, "text": 256}
_LENGTH = re.compile(r"(varchar|varbinary)\((\d+)\)")


def check(table: Table) -> None:
    """Raises HopsworksError for a new feature group that RonDB could not hold."""
    what = f"Feature group {table.name}"
    for each in table.columns:
        if not _fits(each):
            raise _refusal(
                f"{what} cannot be online: {each.name!r} is {each.type}, which cannot be kept as "
                f"{each.online_type}."
            )
    for each in table.key:
        if each.online_type in _NO_KEYS:
            raise _refusal(
                f"{what} cannot be online: its primary key {each.name!r} is {each.online_type}, "
                "which no key can be."
            )
    if len(table.columns) > MOST_COLUMNS:
        raise _refusal(
            f"{what} cannot be online: it has {len(table.columns)} features, and at most "
            f"{MOST_COLUMNS} can be."
        )
    for columns, most, kind in (
        (table.columns, MOST_ROW_BYTES, "row"),
        (table.key, MOST_KEY_BYTES, "primary key"),
    ):
        if (size := _bytes(columns)) > most:
            raise _refusal(
                f"{what} cannot be online: a {kind} has about {size} bytes, and at most {most} "
                "fit. A string is a varchar(100), of 400 bytes, unless its online_type says less."
            )


def _fits(column: Column) -> bool:
    """Whether the online type can hold the offline one."""
    offline, online = column.type.lower(), column.online_type.replace(" ", "")
    if online in (offline, *_SMALLER.get(offline, ())):
        return True
    if offline == "string":
        return online.startswith("varchar") or online in _TEXTS
    if offline == "timestamp":
        return re.fullmatch(r"timestamp\([0-6]\)", online) is not None
    if offline == "binary" or column.is_complex:
        return online.startswith("varbinary") or online in _BLOBS
    return False


def _bytes(columns: Iterable[Column]) -> int:
    """About how many bytes RonDB needs for them."""
    return sum(_bytes_of(column.online_type.replace(" ", "")) for column in columns)


def _bytes_of(online_type: str) -> int:
    if online_type.startswith("decimal"):
        return 16
    if found := _LENGTH.match(online_type):
        length = int(found[2])
        if found[1] == "varbinary":
            return math.floor(length * 1.4 + 0.5)
        return length if "latin1" in online_type else length * 4
    return _BYTES.get(online_type, 8)


def _refusal(message: str) -> HopsworksError:
    return HopsworksError(message, ONLINE_FEATURE_GROUP_NOT_CREATED)
