from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from eclare_py.engines.writers import partials, remove_partials, shard_writer
from eclare_py.errors import UsageError

RECORDS: list[dict[str, Any]] = [
    {"uid": "d1", "labels": [{"label": "l1", "text": "caf\u00e9", "score": 0.25}], "automate": True},
    {"labels": []},
]


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return [{k: v for k, v in row.items() if v is not None} for row in pq.read_table(path).to_pylist()]
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
@pytest.mark.parametrize("chunks", [[RECORDS], [RECORDS[:1], RECORDS[1:]], []])
def test_both_formats_say_the_same(format: str, chunks: list[Any], tmp_path: Path) -> None:
    target = tmp_path / "deep" / f"a.{format}"
    with shard_writer(target, format) as write:
        for chunk in chunks:
            write(chunk)
        assert not target.exists() and len(partials(target)) == 1
    assert read(target) == [record for chunk in chunks for record in chunk]
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_a_failure_leaves_the_old_answers_and_no_litter(format: str, tmp_path: Path) -> None:
    target = tmp_path / f"a.{format}"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), shard_writer(target, format) as write:
        write(RECORDS)
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_of_one_shard_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "a[1].jsonl"
    with shard_writer(target, "jsonl") as first, shard_writer(target, "jsonl") as second:
        first(RECORDS)
        second(RECORDS)
        assert len(partials(target)) == 2
    assert read(target) == RECORDS


def test_litter_of_the_killed_is_removed(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name in ("x/.a.jsonl.part-host-1-abc", ".b.parquet.part-host-2-abc", "x/a.jsonl", ".other"):
        (tmp_path / name).write_text("x")
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".other", "a.jsonl", "x"]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="format csv is unknown"), shard_writer(tmp_path / "a.csv", "csv"):
        pass
    assert list(tmp_path.iterdir()) == []
