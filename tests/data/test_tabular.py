from __future__ import annotations

import csv
import gzip
import importlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eclare_py.data.dataset import DataFolder, load_dataset
from eclare_py.data.tabular import Columns, import_files
from eclare_py.errors import DataError, UsageError

ROWS = [("one, two", ["red", "blue"]), ('a "quoted"\ntext', ["blue"]), ("caf\u00e9", []), ("four", ["green"])]
GOLDEN = {text: set(names) for text, names in ROWS}


def make(folder: Path, kind: str, rows: list[tuple[str, list[str]]] = ROWS) -> Path:
    path = folder / f"rows.{kind}"
    if kind.startswith("jsonl"):
        data = "".join(json.dumps({"text": text, "labels": names}) + "\n" for text, names in rows).encode()
        path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    elif kind == "parquet":
        pq.write_table(pa.table({"labels": [names for _, names in rows], "text": [text for text, _ in rows]}), path)
    else:
        with open(path, "w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream, delimiter="," if kind == "csv" else "\t")
            writer.writerows([["id", "labels", "text"], *([i, ";".join(n), t] for i, (t, n) in enumerate(rows))])
    return path


def contents(folder: DataFolder) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in filter(None, (folder.train, folder.test)):
        for row, text in enumerate(part.texts):
            columns = part.labels.indices[part.labels.indptr[row] : part.labels.indptr[row + 1]]
            found[text] = {part.label_ids[column] for column in columns}  # type: ignore[index]
    return found


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_folder(tmp_path: Path, kind: str) -> None:
    summary = import_files([make(tmp_path, kind)], tmp_path / "out", test_fraction=0, name="mine")
    folder = load_dataset(tmp_path / "out")
    assert contents(folder) == GOLDEN
    assert folder.train.label_texts == folder.train.label_ids == ["red", "blue", "green"]
    assert (summary.train, summary.test, summary.labels, folder.name, folder.test) == (4, 0, 3, "mine", None)
    assert ["no label" in warning.message for warning in summary.warnings] == [True]


def test_sides_depend_on_the_text_only(tmp_path: Path) -> None:
    rows = [(f"text {i}", ["a"]) for i in range(400)]
    paths = []
    for name, part in (("x", rows), ("y", rows[::-1] + rows[:50])):
        (tmp_path / name).mkdir()
        paths.append(make(tmp_path / name, "jsonl", part))
    folders = []
    for path in paths:
        import_files([path], path.parent / "out", test_fraction=0.25)
        folders.append(load_dataset(path.parent / "out"))
    tests = [set(folder.test.texts) for folder in folders if folder.test is not None]
    assert tests[0] == tests[1]
    assert not tests[1] & set(folders[1].train.texts)
    assert 70 <= len(tests[0]) <= 130


def test_labels_file_and_test_files(tmp_path: Path) -> None:
    train = make(tmp_path, "csv", ROWS[:2])
    test = make(tmp_path, "jsonl", ROWS[2:])
    labels = tmp_path / "labels.tsv"
    labels.write_text("label\ttext\ngreen\tthe colour green\nblue\tthe sky\nred\tfire\nunused\tnever met\n")
    summary = import_files([train], tmp_path / "out", labels_file=labels, test_files=[test])
    folder = load_dataset(tmp_path / "out")
    assert (summary.train, summary.test, summary.labels) == (2, 2, 4)
    assert folder.train.label_ids == ["green", "blue", "red", "unused"]
    assert folder.train.label_texts[0] == "the colour green"
    assert contents(folder) == GOLDEN


def test_other_columns_and_separator(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("titel,tags\nfirst,a | b\nsecond,\n")
    import_files([path], tmp_path / "out", test_fraction=0, columns=Columns("titel", "tags", "|"))
    assert contents(load_dataset(tmp_path / "out")) == {"first": {"a", "b"}, "second": set()}


BAD: list[tuple[str, bytes, int | None, str]] = [
    ("r.jsonl", b'{"text": "x", "labels": ["a"]}\n{"text": "y"}\n', 2, "key labels is missing"),
    ("r.jsonl", b'{"text": "x", "labels": "a"}\n', 1, "labels is 'a': it must be a list"),
    ("r.jsonl.gz", gzip.compress(b'{"text": "x", "labels": "a"}\n', mtime=0), 1, "labels is 'a': it must be a list"),
    ("r.jsonl", b'{"text": "x", "labels": [3]}\n', 1, "label name is 3"),
    ("r.jsonl", b'{"text": "x", "labels": ["a", "a "]}\n', 1, "name a label twice"),
    ("r.jsonl", b'{"text": null, "labels": ["a"]}\n', 1, "text is None"),
    ("r.jsonl", b'{"text": "\\ud800", "labels": ["a"]}\n', 1, "lone surrogate"),
    ("r.jsonl", b'{"text": "x", "labels": ["\\udfff"]}\n', 1, "lone surrogate"),
    ("r.jsonl", b'{"text": "x", "labels": ["a"]}\n{"text"\n', 2, "invalid JSON"),
    ("r.jsonl", b'{"text": "x\xff", "labels": ["a"]}\n', 1, "invalid UTF-8"),
    ("r.csv", b"text,labels\nx,a\n,b\n", 3, "document text is empty"),
    ("r.csv", b'text,labels\n"x\ny",a\nz,a;;b\n', 4, "label name is ''"),
    ("r.csv", b"text,labels\nx,a,b\n", 2, "3 cells, the header has 2"),
    ("r.csv", b"text,tags\nx,a\n", 1, "no single column 'labels'"),
    ("r.csv", b"text,text,labels\nx,y,a\n", 1, "no single column 'text'"),
    ("r.csv", b'text,labels\nx,a\n"y,b\nz,c\n', 3, "broken table"),
    ("r.csv", b"text,labels\nx,a\n\xe9,b\n", 3, "invalid UTF-8"),
    ("r.csv", b"text,labels\n", None, "no train document found"),
    ("r.parquet", b"not parquet at all", None, "damaged or no parquet file"),
    ("r.jsonl.gz", gzip.compress(b'{"text": "x", "labels": ["a"]}\n' * 3, mtime=0)[:-9], None, "damaged gzip file"),
]


@pytest.mark.parametrize(("name", "content", "line", "fault"), BAD)
def test_a_bad_row_names_its_line_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, line: int | None, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        import_files([path], tmp_path / "out", test_fraction=0)
    assert caught.value.path == str(path)
    assert fault in str(caught.value)
    assert line is None or caught.value.line == line
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        ("label,text\na,first\na,again\n", 3, "stands twice"),
        ("label,text\na,first\nb,\n", 3, "label text is empty"),
        ("label,text\n ,first\n", 2, "label name is ' '"),
        ("name,text\na,first\n", 1, "no single column 'label'"),
    ],
)
def test_bad_labels_files(tmp_path: Path, content: str, line: int, fault: str) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(content)
    with pytest.raises(DataError) as caught:
        import_files([make(tmp_path, "jsonl")], tmp_path / "out", labels_file=labels)
    assert (caught.value.path, caught.value.line) == (str(labels), line)
    assert fault in str(caught.value)


def test_a_label_outside_the_labels_file(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"label": "red", "text": "fire"}\n')
    with pytest.raises(DataError, match=r"rows.jsonl:1: label 'blue' is not in .*labels.jsonl"):
        import_files([make(tmp_path, "jsonl")], tmp_path / "out", labels_file=labels)


def test_parquet_names_the_missing_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"column labels is missing \(found \['text'\]\)"):
        import_files([tmp_path / "r.parquet"], tmp_path / "out")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'eclare_py\[parquet\]'"):
        import_files([tmp_path / "r.parquet"], tmp_path / "out")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_missing_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=f"none.{kind}: file is missing"):
        import_files([tmp_path / f"none.{kind}"], tmp_path / "out")


def test_bad_calls(tmp_path: Path) -> None:
    path = make(tmp_path, "jsonl")
    for arguments, keywords, fault in (
        ([], {}, "no files to import"),
        ([tmp_path / "rows.xlsx"], {}, "cannot tell the format"),
        ([path], {"test_fraction": 1.0}, "test fraction is 1.0"),
        ([path], {"test_fraction": float("nan")}, "test fraction is nan"),
        ([path], {"test_fraction": 0.5, "test_files": [path]}, "not both"),
        ([path], {"columns": Columns(separator=" ")}, "separator is ' '"),
    ):
        with pytest.raises(UsageError, match=fault):
            import_files(arguments, tmp_path / "out", **keywords)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
