"""Previews of files: whatever is in a file, its page shows a part of it and keeps no more in
memory."""

from __future__ import annotations

import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local_hopsworks.datasets.previews import JSON_BYTES, ROWS, TEXT_BYTES, preview


@pytest.fixture
def store(tmp_path):
    """Write a file; returns its path."""

    def write(name: str, content: bytes | str):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.PNG", b"anything", "picture"), ("a.txt", "text", "text"), ("LICENSE", "text", "text"),
        ("a.py", "print()", "text"), ("a.json", "{}", "text"), ("a.csv", "a,b\n1,2\n", "table"),
        ("a.tsv", "a\tb\n1\t2\n", "table"), ("a.bin", b"\0\1\2", "none"), ("a.txt", "", "text"),
        ("a.csv", "", "table"), ("a.latin", "å".encode("latin-1") * 20, "none"),
        ("a.parquet", b"PAR1 not really", "none"), ("a.parquet", b"", "none"),
    ],
)  # fmt: skip
def test_kind_of_preview_follows_name_and_content(store, name, content, kind):
    assert preview(store(name, content), {}).kind == kind


def test_json_is_laid_out_and_what_is_none_says_so(store):
    assert (
        preview(store("a.json", '{"a":[1,"å"]}'), {}).text == '{\n  "a": [\n    1,\n    "å"\n  ]\n}'
    )
    broken = preview(store("b.json", '{"a":'), {})
    assert broken.text == '{"a":' and broken.note.startswith("This is no valid JSON: ")
    deep = preview(store("c.json", "[" * 50_000), {})
    assert deep.note.startswith("This is no valid JSON")


def test_long_json_is_text_a_page_at_a_time(store):
    text = '"' + "x" * JSON_BYTES + '"'
    found = preview(store("a.json", text), {"from": str(TEXT_BYTES)})
    assert found.text == text[TEXT_BYTES : 2 * TEXT_BYTES] and found.total == len(text)


def test_columns_of_a_csv_file_are_read_by_their_names(store):
    found = preview(store("a.csv", '\ufeffname,size\n"a, b",1\n"c\nd",2.5\n'), {})
    assert [(column.name, column.is_number) for column in found.head.columns] == [
        ("name", False), ("size", True)
    ]  # fmt: skip
    assert found.head.rows == [("a, b", "1"), ("c\nd", "2.5")]


@pytest.mark.parametrize("text", ["a,b\n1\n1,2,3\n", "a\n\n\n1\n", "a,a\n1,2\n"])
def test_ragged_csv_is_shown_as_far_as_it_goes(store, text):
    found = preview(store("a.csv", text), {})
    assert found.kind == "table"
    assert all(len(row) <= len(found.head.columns) for row in found.head.rows)


@pytest.mark.parametrize("start", [0, 1, 40, 1000, 2049, 2050])
def test_rows_of_a_parquet_file_begin_anywhere(tmp_path, start):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(2050))}), path, row_group_size=500)
    found = preview(path, {"from": str(start)})
    assert [row[0] for row in found.head.rows] == list(range(2050))[start : start + ROWS]
    assert found.total == 2050


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
@pytest.mark.parametrize("line", ["1,2,3\n", "x" * 100])  # lines, or one that never ends
def test_large_file_is_never_whole_in_memory(store, name, line):
    path = store(name, "a,b,c\n" + line * (6_000_000 // len(line)))
    tracemalloc.start()
    try:
        preview(path, {"from": "900000"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize("start", ["-1", "x", "9" * 30, "²", "1e3", ""])
def test_place_that_cannot_be_meant_is_the_beginning(store, start):
    found = preview(store("a.csv", "a\n1\n2\n"), {"from": start})
    assert found.head.rows == [("1",), ("2",)]
