from __future__ import annotations

import os
from pathlib import Path

import pytest

from eclare_py.engines.shards import Shard, find_shards, is_shards
from eclare_py.errors import DataError, UsageError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n")
    return folder


def names_of(shards: list[Shard], source: Path, output: Path) -> dict[str, str]:
    return {
        one.source.relative_to(source).as_posix(): one.target.relative_to(output).as_posix() for one in shards
    }  # fmt: skip


def test_a_folder_keeps_the_names_of_its_folders(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "b.txt", "a.jsonl.gz", "x=1/c.parquet", ".hidden", "_job.json", "_old/d.txt")
    found = find_shards(str(source), tmp_path / "out", "parquet")
    assert list(names_of(found, source, tmp_path / "out").items()) == [
        ("a.jsonl.gz", "a.parquet"), ("b.txt", "b.parquet"), ("x=1/c.parquet", "x=1/c.parquet"),
    ]  # fmt: skip


def test_a_pattern_chooses(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "b.txt", "a.csv", "x/c.txt", "x/y/d.txt", "x/_z/e.txt")
    output = tmp_path / "out"
    assert names_of(find_shards(f"{source}/*.txt", output, "jsonl"), source, output) == {"b.txt": "b.jsonl"}
    deep = find_shards(f"{source}/x/**/*.txt", output, "jsonl")
    assert names_of(deep, source / "x", output) == {"c.txt": "c.jsonl", "y/d.txt": "y/d.jsonl"}


def test_what_means_many_files(tmp_path: Path) -> None:
    fill(tmp_path, "odd[1].txt")
    assert is_shards(str(tmp_path)) and is_shards(f"{tmp_path}/*.txt")
    assert not is_shards(f"{tmp_path}/odd[1].txt") and not is_shards(f"{tmp_path}/gone.txt") and not is_shards("-")


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ((), DataError, "in: no file is there to be read"),
        (("a.xlsx",), UsageError, r"a.xlsx is no shard that can be read: name it .jsonl"),
        (("a.parquet.gz",), UsageError, "is no shard that can be read"),
        (("a.txt", "a.jsonl"), UsageError, "would have the same answers .*a.jsonl: rename one"),
    ],
)
def test_what_cannot_be_done_is_refused(
    names: tuple[str, ...], error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(error, match=message):
        find_shards(str(fill(tmp_path / "in", *names)), tmp_path / "out", "jsonl")


def test_answers_may_not_lie_amid_the_rows(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.txt")
    with pytest.raises(UsageError, match="is inside of the input"):
        find_shards(str(source), source / "out", "jsonl")


def test_finished_means_answered_since_it_was_written(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    shard = Shard(tmp_path / "a.txt", tmp_path / "a.jsonl")
    assert not shard.finished()
    fill(tmp_path, "a.jsonl")
    assert shard.finished()
    os.utime(tmp_path / "a.jsonl", (1, 1))
    assert not shard.finished()
