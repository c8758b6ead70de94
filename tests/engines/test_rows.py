from __future__ import annotations

import gzip
import importlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eclare_py.engines.rows import Row, in_chunks, read_rows
from eclare_py.errors import DataError, UsageError


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_lines_and_json_and_gzip(tmp_path: Path) -> None:
    plain = tmp_path / "a.txt"
    plain.write_bytes(b"\xef\xbb\xbfone\r\n\ntwo")
    assert list(read_rows(plain)) == [Row("one"), Row(""), Row("two")]
    lines = tmp_path / "a.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"text": "one", "uid": 7}\n{"title": "a", "content": "b"}\n{"title": "c"}\n'))
    assert list(read_rows(lines)) == [Row("one", "7"), Row("a b"), Row("c")]


def test_parquet_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", uid=[3, None], other=[0, 0], text=["one", ""])
    assert list(read_rows(path)) == [Row("one", "3"), Row("")]
    path = parquet(tmp_path / "b.PARQUET", title=["a", "c"], content=["b", None])
    assert list(read_rows(path)) == [Row("a b"), Row("c")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["a"]}, r"a.parquet: text is missing \(found name\); say .* --text NAME"),
        ({"text": ["a", None]}, "a.parquet:2: text is None: it must be a string"),
        ({"text": [3]}, "a.parquet:1: text is 3: it must be a string"),
    ],
)
def test_parquet_at_fault_names_the_row(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(read_rows(parquet(tmp_path / "a.parquet", **columns)))


def test_no_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1, but nothing else")
    with pytest.raises(DataError, match="a.parquet: damaged or no parquet file"):
        list(read_rows(tmp_path / "a.parquet"))
    with pytest.raises(DataError, match="b.parquet: file is missing"):
        list(read_rows(tmp_path / "b.parquet"))


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", nothing)
    with pytest.raises(UsageError, match=r"pip install 'eclare_py\[parquet\]'"):
        list(read_rows(tmp_path / "a.parquet"))


def test_chunks() -> None:
    made = [Row(str(number)) for number in range(7)]
    assert [len(chunk) for chunk in in_chunks(iter(made), 3)] == [3, 3, 1]
    assert [row for chunk in in_chunks(iter(made), 3) for row in chunk] == made
    assert list(in_chunks(iter(()), 3)) == []


def test_csv_and_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('uid,text,tags\n7,"two\nlines, one text",x\n,plain,y\n')
    assert list(read_rows(path)) == [Row("two\nlines, one text", "7"), Row("plain")]
    assert list(read_rows(path, ["text", "tags"])) == [Row("two\nlines, one text x", "7"), Row("plain y")]
    path = tmp_path / "b.tsv.gz"
    path.write_bytes(gzip.compress(b"name\tnote\nrake\tlong handle\nhoe\t\n"))
    assert list(read_rows(path, ["name", "note"])) == [Row("rake long handle"), Row("hoe")]
    with pytest.raises(DataError, match=r"b.tsv.gz:1: no column 'text' \(there are: name, note\); say .* --text NAME"):
        list(read_rows(path))
    with pytest.raises(DataError, match="no column 'names', did you mean 'name'"):
        list(read_rows(path, ["names"]))


def test_columns_of_json_and_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"title": "steel rake", "description": "long handle", "uid": 1}\n{"title": "hoe"}\n')
    assert list(read_rows(path, ["title", "description"])) == [Row("steel rake long handle", "1"), Row("hoe")]
    assert list(read_rows(path, ["title"])) == [Row("steel rake", "1"), Row("hoe")]
    with pytest.raises(DataError, match="a.jsonl:1: is the text the title alone, or description too.*--text"):
        list(read_rows(path))
    with pytest.raises(DataError, match="a.jsonl:1: no key name"):
        list(read_rows(path, ["name"]))
    table = parquet(tmp_path / "a.parquet", title=["steel rake", "hoe"], description=["long handle", None])
    assert list(read_rows(table, ["title", "description"])) == [Row("steel rake long handle"), Row("hoe")]
    with pytest.raises(DataError, match="is the text the title alone, or description too"):
        list(read_rows(table))
    with pytest.raises(DataError, match="no column 'name'"):
        list(read_rows(table, ["name"]))
    # What belongs to a data folder is no text: lists of labels, an id.
    path.write_text('{"title": "steel rake", "uid": "a", "target_ind": [3]}\n')
    assert list(read_rows(path)) == [Row("steel rake", "a")]


@pytest.mark.parametrize(("name", "line"), [("a.json", '[{"text": "one"}, {"text": "two"}]'), ("a.jsonl", "one")])
def test_what_is_named_json_is_no_plain_text(name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(line)
    with pytest.raises(DataError, match=f"{name}:1: .*(JSON array|invalid JSON)"):
        list(read_rows(tmp_path / name))


def test_lines_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(DataError, match="lines have no columns"):
        list(read_rows(tmp_path / "a.txt", ["title"]))


@pytest.mark.parametrize("text", ['[{"text": "one"}]\n', '[\n{"text": "one"}\n]\n'])
def test_an_array_of_objects_is_no_plain_text_under_any_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match="a.txt:1: a JSON array"):
        list(read_rows(tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_text("[1] a text that begins with a bracket\n")
    assert [row.text for row in read_rows(tmp_path / "a.txt")] == ["[1] a text that begins with a bracket"]
