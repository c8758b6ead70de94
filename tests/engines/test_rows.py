from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eclare_py.engines import rows
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
        ({"name": ["a"]}, r"a.parquet: column text is missing \(found \['name'\]\)"),
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

    monkeypatch.setattr(rows.importlib, "import_module", nothing)
    with pytest.raises(UsageError, match=r"pip install 'eclare_py\[parquet\]'"):
        list(read_rows(tmp_path / "a.parquet"))


def test_chunks() -> None:
    made = [Row(str(number)) for number in range(7)]
    assert [len(chunk) for chunk in in_chunks(iter(made), 3)] == [3, 3, 1]
    assert [row for chunk in in_chunks(iter(made), 3) for row in chunk] == made
    assert list(in_chunks(iter(()), 3)) == []
