"""`eclare predict` of many files, as a user runs it on one machine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.command import eclare, error_of


def shards_of(folder: Path, texts: list[str]) -> Path:
    """Three shards of unequal length, one of each format, and one without rows."""
    (folder / "sub").mkdir(parents=True)
    rows = [{"uid": f"d{number}", "text": text} for number, text in enumerate(texts)]
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("".join(lines[:4]).encode()))
    pq.write_table(pa.Table.from_pylist(rows[4:5]), folder / "b.parquet")
    (folder / "sub" / "c.jsonl").write_text("".join(lines[5:]))
    (folder / "empty.txt").write_text("")
    return folder


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_folder_is_answered_as_its_rows_in_one_file(tiny: Any, tmp_path: Path) -> None:
    texts = tiny.folder.test.texts[:12]
    source, output = shards_of(tmp_path / "in", texts), tmp_path / "out"
    (tmp_path / "all.jsonl").write_text(
        "".join(json.dumps({"text": text, "uid": f"d{number}"}) + "\n" for number, text in enumerate(texts))
    )
    eclare("predict", tiny.model, "--input", tmp_path / "all.jsonl", "--output", tmp_path / "expected", "--top-k", 3)
    done = eclare("predict", tiny.model, "--input", source, "--output", output, "--top-k", 3)
    assert "12 texts ranked; 4 shards are answered" in done.stderr
    found = [lines_of(output / name) for name in ("a.jsonl", "b.jsonl", "sub/c.jsonl", "empty.jsonl")]
    assert [len(lines) for lines in found] == [4, 1, 7, 0]
    assert [line for lines in found for line in lines] == lines_of(tmp_path / "expected")
    eclare("predict", tiny.model, "--input", source, "--output", tmp_path / "pq", "--top-k", 3, "--format", "parquet")
    table = pq.read_table(tmp_path / "pq" / "a.parquet").to_pylist()
    assert [{name: row[name] for name in ("uid", "labels")} for row in table] == found[0]


def test_a_second_call_does_only_what_is_missing(tiny: Any, tmp_path: Path) -> None:
    source, output = shards_of(tmp_path / "in", tiny.folder.test.texts[:12]), tmp_path / "out"
    call = ("predict", tiny.model, "--input", source, "--output", output)
    eclare(*call)
    whole = {path.name: path.read_bytes() for path in output.rglob("*.jsonl")}
    (output / "sub" / "c.jsonl").unlink()
    (output / "a.jsonl").write_text("kept\n")
    (source / "new.txt").write_text("one more\n")
    again = eclare(*call)
    assert "3 of 5 shards were answered before" in again.stderr and "8 texts ranked" in again.stderr
    assert (output / "sub" / "c.jsonl").read_bytes() == whole["c.jsonl"]
    assert (output / "a.jsonl").read_text() == "kept\n"
    assert "0 texts ranked; 5 shards" in eclare(*call).stderr


def test_automation_is_counted_over_shards(tiny: Any, tmp_path: Path) -> None:
    source = shards_of(tmp_path / "in", tiny.folder.test.texts[:12])
    done = eclare("predict", tiny.model, "--input", source, "--output", tmp_path / "out", "--min-precision", 0.2)
    marked = sum(line["automate"] for path in (tmp_path / "out").rglob("*.jsonl") for line in lines_of(path))
    assert f"{marked} of 12 texts can be automated" in done.stderr


def test_a_bad_row_is_named_and_its_shard_not_answered(tiny: Any, tmp_path: Path) -> None:
    source = shards_of(tmp_path / "in", tiny.folder.test.texts[:12])
    (source / "b2.jsonl").write_text('{"text": "good"}\n{"text": 3}\n')
    failed = eclare("predict", tiny.model, "--input", source, "--output", tmp_path / "out", code=1)
    assert failed.stderr.splitlines()[-1] == f"error: {source}/b2.jsonl:2: text is 3: it must be a string"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_job.json", "a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output", "-"), "the answers of shards need a folder"),
        (("--format", "npz"), "format npz is unknown: choose jsonl or parquet"),
        (("--engine", "spark"), "--engine spark is unknown: choose local or ray"),
        (("--address", "auto"), "are of a Ray cluster: add --engine ray"),
        (("--workers", "2"), "are of a Ray cluster: add --engine ray"),
        (("--precision", "0.9", "--min-precision", "0.9"), "drop --precision"),
    ],
)
def test_calls_that_make_no_sense(words: tuple[str, ...], message: str, tiny: Any, tmp_path: Path) -> None:
    source = shards_of(tmp_path / "in", tiny.folder.test.texts[:12])
    call = ("predict", tiny.model, "--input", source, "--output", tmp_path / "out", *words)
    assert message in error_of(eclare(*call, code=2))
    assert not (tmp_path / "out").exists()


def test_an_engine_is_for_shards(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words\n")
    said = error_of(eclare("predict", tiny.model, "--input", tmp_path / "a.txt", "--engine", "ray", code=2))
    assert said == "--engine ray is for shards: give a folder or a pattern as --input"
