"""Hostile values, and JSON documents made a little wrong: strategies of hypothesis."""

from __future__ import annotations

import copy
import urllib.parse
from typing import Any

from hypothesis import strategies as st

NAMES = [
    "..",
    ".",
    "",
    "../..",
    "../../outside/secret.txt",
    "%2e%2e",
    "%252e%252e",
    "..%2f..%2foutside%2fsecret.txt",
    "%2e%2e%2f%2e%2e%2foutside%2fsecret.txt",
    "%252e%252e%252foutside",
    "..%5c..%5coutside%5csecret.txt",
    "..;",
    "%00",
    "a%00b",
    "%2500",
    "%2fetc%2fpasswd",
    "%2f%2fetc%2fpasswd",
    "/etc/passwd",
    "file:%2f%2f%2fetc%2fpasswd",
    "link",
    "link/secret.txt",
    "linked.txt",
    "Resources/link/secret.txt",
    "Resources%2flinked.txt",
    "%ef%bc%8e%ef%bc%8e",
    "%e2%80%a4%e2%80%a4",
    "..%ef%bc%8foutside",
    "..%e2%88%95outside",
    "%e2%80%ae",
    "%ff",
    "%ed%a0%80",
    "%c0%ae%c0%ae",
    "CON",
    "NUL",
    "aux.txt",
    "~",
    "~root",
    "-rf",
    "--",
    "$(id)",
    "%60id%60",
    "|id",
    "{0}",
    "%25s",
    "%27",
    "%22;--",
    "1%27%20OR%20%271%27=%271",
    "x" * 256,
    "x" * 5000,
    "0",
    "-1",
    "1e999",
    "%d9%a1",
    "%c2%b2",
    "9" * 18,
    "9" * 30,
    "None",
    "True",
    "null",
    "*",
    "metadata.db",
    "security/api_key",
    "Projects/local/../../security",
    "%0d%0aX: y",
    "%09",
    "thing_1",
    "thing_%c2%b2",
    "1_1",
    "_",
    "share",
    "tags",
    "version",
    "upload",
    "download",
    "api_key",
    "local",
    "tests",
]
quoted = st.text(max_size=30).map(
    lambda text: urllib.parse.quote(text.encode("utf-8", "replace"), safe="")
)
names = st.one_of(
    st.sampled_from(NAMES),
    quoted,
    quoted.map(lambda text: urllib.parse.quote(text, safe="")),
    st.binary(max_size=12).map(lambda content: urllib.parse.quote_from_bytes(content, safe="")),
)
SQL = [
    "1; DROP TABLE projects",
    '" AS x, s FROM secret --',
    "' OR '1'='1",
    "'; SELECT * FROM secret; --",
    "x, secret.s",
    "1 UNION SELECT s FROM secret",
    "(SELECT s FROM secret)",
    'a"b',
    "a'b",
    "a\\'b",
    "--",
    "/*",
    "$1",
    "?",
    ":x",
    "%s",
    "read_csv('/etc/passwd')",
    "INNER JOIN secret ON true LEFT",
    "secret",
    "NaN",
]
scalars = st.one_of(
    st.sampled_from(SQL),
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            2**31,
            2**63,
            -(2**63) - 1,
            10**40,
            1e308,
            "",
            "..",
            "../../outside",
            "\0",
            "\ud800",
            "é" * 300,
            "x" * 100_000,
            "file:///etc/passwd",
            "<script>",
            "NaN",
            "None",
        ]
    ),
)
values = st.one_of(
    scalars,
    st.sampled_from(
        [[], {}, [[]], [None], {"": None}, [{}], [1], ["x"], {"id": 1}, {"name": "thing"}]
    ),
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
    ),
)


def places(document: Any) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON document, from its root."""
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [(), *((key, *place) for key, child in children for place in places(child))]


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


@st.composite
def spoilt(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document with one to three things in it replaced, removed, doubled, buried, or put
    where another was."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        known = places(document)
        place = draw(st.sampled_from(known))
        action = draw(
            st.sampled_from(["replace", "replace", "replace", "move", "remove", "double", "bury"])
        )
        value = copy.deepcopy(
            at(document, draw(st.sampled_from(known))) if action == "move" else draw(values)
        )
        if action == "bury":
            value = nested(at(document, place), draw(st.integers(2, 500)))
        if not place:
            return value
        holder, key = at(document, place[:-1]), place[-1]
        if action == "remove":
            del holder[key]
        elif action == "double" and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif action == "double":
            holder[f"{key}2"] = holder[key]
        else:
            holder[key] = value
        if action == "bury":
            break
    return document


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value
