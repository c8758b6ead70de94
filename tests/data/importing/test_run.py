from __future__ import annotations

import csv
import gzip
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eclare_py.data.dataset import DataFolder, load_dataset
from eclare_py.data.importing import import_table
from eclare_py.data.importing.report import ImportSummary
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError

ROWS = [("one, two", ["red", "blue"]), ('a "quoted"\ntext', ["blue"]), ("caf\u00e9", ["red"]), ("four", ["green"])]
GOLDEN = {" ".join(text.split()): set(names) for text, names in ROWS}


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


def reasons(summary: ImportSummary, kind: str) -> dict[str, int]:
    return {one["reason"]: one["count"] for one in summary.report["findings"] if one["kind"] == kind}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_folder(tmp_path: Path, kind: str) -> None:
    summary = import_table(make(tmp_path, kind), tmp_path / "out", test_share=0, name="mine")
    folder = load_dataset(tmp_path / "out")
    assert contents(folder) == GOLDEN
    assert folder.train.label_texts == folder.train.label_ids == ["red", "blue", "green"]
    assert (summary.train, summary.test, summary.labels, folder.name, folder.test) == (4, 0, 3, "mine", None)
    assert summary.warnings == [] and summary.folder == tmp_path / "out"


def test_the_report_is_kept_in_the_folder_and_says_nothing_of_the_machine(tmp_path: Path) -> None:
    summary = import_table([make(tmp_path, "csv")], tmp_path / "out", test_share=0, labels="labels")
    text = (tmp_path / "out" / "import.json").read_text()
    assert json.loads(text) == summary.report
    assert str(tmp_path) not in text
    assert summary.report["files"] == ["rows.csv"]
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    import_table([make(tmp_path, "csv")], tmp_path / "out", test_share=0)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


MESSY = """title,body,tags,key
First,text,a|b,1
,only a body,a,2
,,a,3
Second,x,,4
Third , y,b| b|,5
First,text,c,6
Fourth,z,a,
Fifth,"broken,a,8
Sixth,one,too,many,9
Seventh,q,d|zyx,10
"""


def test_what_is_left_out_or_changed_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", MESSY)
    labels = write(tmp_path / "labels.csv", "label,text\na,\nb,the letter b\nc,sea\nd,dee\nunused,nothing\n")
    summary = import_table(path, tmp_path / "out", text=["title", "body"], labels="tags", separator="|", id="key",
                           label_file=labels, test_share=0)  # fmt: skip
    folder = load_dataset(tmp_path / "out")
    assert contents(folder) == {"First text": {"a", "b", "c"}, "only a body": {"a"}, "Third y": {"b"},
                                'Fifth "broken': {"a"}, "Seventh q": {"d"}}  # fmt: skip
    assert folder.train.ids == ["1", "2", "5", "8", "10"]
    assert folder.train.label_texts == ["a", "the letter b", "sea", "dee", "nothing"]
    assert summary.report["rows"] == {"read": 10, "kept": 5, "merged": 1, "rejected": 4}
    assert reasons(summary, "rejected") == {
        "empty text": 1, "row without labels": 1, "row without id": 1, "wrong number of cells": 1,
    }  # fmt: skip
    assert reasons(summary, "merged") == {"same text as before": 1}
    assert reasons(summary, "labels") == {"unknown label": 1}
    assert reasons(summary, "repaired") == {"white space": 3, "label named twice in a row": 1, "stray quote": 1}
    by_reason = {one["reason"]: one["examples"] for one in summary.report["findings"]}
    assert by_reason["empty text"] == ["rows.csv:4"]
    assert by_reason["same text as before"] == ["rows.csv:7: as on line 2: 'First text'"]
    assert by_reason["unknown label"] == ["rows.csv:11: 'zyx' is not in the label file"]
    assert summary.report["labels"]["without_documents"] == 1
    assert [one["reason"] for one in summary.report["label_file"]] == ["label without text: its name is used"]
    assert validate_folder(tmp_path / "out") == []


def test_unknown_labels_can_be_added_and_a_near_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,labels\nx,blu\ny,blue\n")
    labels = write(tmp_path / "labels.jsonl", '{"label": "blue", "text": "the sky"}\n{"label": "red", "text": "x"}\n')
    summary = import_table(path, tmp_path / "out", label_file=labels, test_share=0)
    assert contents(load_dataset(tmp_path / "out")) == {"y": {"blue"}}
    found = [one for one in summary.report["findings"] if one["kind"] == "labels"]
    assert found[0]["examples"] == ["r.csv:2: 'blu' is not in the label file, did you mean 'blue'?"]
    assert reasons(summary, "rejected") == {"none of its labels is left": 1}
    import_table(path, tmp_path / "out", label_file=labels, test_share=0, unknown_labels="add")
    assert contents(load_dataset(tmp_path / "out")) == {"x": {"blu"}, "y": {"blue"}}
    with pytest.raises(DataError, match=r"r.csv:2: unknown label: 'blu' is not in the label file, did you mean 'blue'"):
        import_table(path, tmp_path / "out", label_file=labels, strict=True)


def test_a_label_file_with_relations_and_numbers_for_names(tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.jsonl",
                   '{"label": 1, "text": "animal", "narrower": 2}\n'
                   '{"label": 2, "text": "cat", "related": ["dog", 9]}\n'
                   '{"label": 3, "text": "dog", "broader": "1"}\n{"label": 3, "text": "again"}\n')  # fmt: skip
    rows = write(tmp_path / "r.jsonl", '{"text": "x", "labels": [2]}\n{"text": "y", "labels": "cat;3"}\n')
    summary = import_table(rows, tmp_path / "out", label_file=labels, test_share=0)
    folder = load_dataset(tmp_path / "out")
    assert contents(folder) == {"x": {"2"}, "y": {"2", "3"}}
    assert folder.train.label_edges.tolist() == [[0, 1, 2], [1, 2, 1], [2, 0, 0]]
    assert reasons(summary, "note") == {"labels found by another name than their id": 1}
    assert {one["reason"] for one in summary.report["label_file"]} == {
        "label stands twice", "relation to an unknown label",
    }  # fmt: skip


def test_rare_labels_below_the_count_are_left_out_with_their_rows(tmp_path: Path) -> None:
    rows = [("x", ["a", "b"]), ("y", ["a"]), ("z", ["c"]), ("w", ["b", "d"])]
    summary = import_table(make(tmp_path, "jsonl", rows), tmp_path / "out", min_count=2, test_share=0)
    assert contents(load_dataset(tmp_path / "out")) == {"x": {"a", "b"}, "y": {"a"}, "w": {"b"}}
    assert reasons(summary, "labels") == {"label of fewer than 2 documents": 2}
    assert reasons(summary, "rejected") == {"none of its labels is left": 1}
    assert summary.report["labels"]["below_min_count"] == 2
    import_table(make(tmp_path, "jsonl", rows), tmp_path / "out", min_count=2, test_share=0, unlabelled=True)
    assert contents(load_dataset(tmp_path / "out"))["z"] == set()


def test_test_tables_and_texts_in_both(tmp_path: Path) -> None:
    train = make(tmp_path, "csv", [*ROWS, ("shared", ["only here"])])
    test = make(tmp_path, "jsonl", [("shared", ["red"]), ("new", ["green", "fresh"])])
    summary = import_table(train, tmp_path / "out", test=[test])
    folder = load_dataset(tmp_path / "out")
    assert folder.test is not None and folder.test.texts == ["shared", "new"]
    assert "shared" not in folder.train.texts
    assert folder.train.label_ids == ["red", "blue", "green", "fresh"]
    assert reasons(summary, "rejected") == {"text also in the test table": 1}
    assert summary.report["rows"]["read"] == 7


def test_equal_texts_can_be_kept_and_stay_on_one_side(tmp_path: Path) -> None:
    rows = [(f"text {i % 40}", [f"label {i % 3}"]) for i in range(120)]
    summary = import_table(make(tmp_path, "csv", rows), tmp_path / "out", duplicates="keep", test_share=0.3)
    folder = load_dataset(tmp_path / "out")
    assert folder.test is not None
    assert (summary.train, summary.test) == (84, 36)
    assert not set(folder.train.texts) & set(folder.test.texts)
    assert reasons(summary, "note") == {"same text as before: kept": 80}


def test_nothing_is_lost_in_any_table(tmp_path: Path) -> None:
    """A naive import of random rows counts and keeps the same."""
    rng = np.random.default_rng(5)
    words = ["ab", "cd", " ef", "", "gh\tij"]
    rows = [(str(rng.choice(words)) + str(rng.integers(30)), [str(rng.choice(["", " ", "p", "q ", "r"]))])
            if rng.random() < 0.9 else ("", ["p"]) for _ in range(300)]  # fmt: skip
    expected: dict[str, set[str]] = {}
    rejected = merged = 0
    for text, names in rows:
        tidy, kept = " ".join(text.split()), {name.strip() for name in names} - {""}
        if not tidy or not kept:
            rejected += 1
        elif tidy in expected:
            merged += 1
            expected[tidy] |= kept
        else:
            expected[tidy] = kept
    summary = import_table(make(tmp_path, "jsonl", rows), tmp_path / "out")
    assert contents(load_dataset(tmp_path / "out")) == expected
    counts = {"read": 300, "kept": len(expected), "merged": merged, "rejected": rejected}
    assert summary.report["rows"] == counts


FATAL: list[tuple[str, bytes, int | None, str]] = [
    ("r.jsonl", b'{"text": "y"}\n', None, r"no row has the key 'labels' \(there are: text\)"),
    ("r.jsonl", b'{"Text": "y", "tag": ["a"]}\n', None, "the key 'text', did you mean 'Text'.*the key 'labels'"),
    ("r.csv", b"text,tags\nx,a\n", 1, r"no column 'labels' \(there are: text, tags\)"),
    ("r.csv", b"Text,label\nx,a\n", 1, "'text', did you mean 'Text'.*'labels', did you mean 'label'"),
    ("r.csv", b"text,text,labels\nx,y,a\n", 1, "column 'text' stands twice"),
    ("r.csv", b"text,labels\n", None, "no rows in it"),
    ("r.csv", b"", None, "no rows in it"),
    ("r.csv", b"text,labels\n,a\n,b\n", None, r"all 2 rows were left out \(empty text: 2, e.g. r.csv:2\)"),
    ("r.csv", b"text,labels\nx,a\ny,\nz,\n", None, r"2 of 3 rows were left out \(row without labels: 2"),
    ("r.parquet", b"not parquet at all", None, "damaged or no parquet file"),
    ("r.jsonl.gz", gzip.compress(b'{"text": "x", "labels": ["a"]}\n' * 3, mtime=0)[:-9], None, "damaged gzip file"),
]


@pytest.mark.parametrize(("name", "content", "line", "fault"), FATAL)
def test_a_table_at_fault_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, line: int | None, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        import_table([path], tmp_path / "out", test_share=0)
    assert line is None or (caught.value.path, caught.value.line) == (str(path), line)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


STRICT: list[tuple[str, bytes, int, str]] = [
    ("r.jsonl", b'{"text": "x", "labels": ["a"]}\n{"text"\n', 2, "invalid JSON"),
    ("r.jsonl", b'{"text": "x", "labels": ["a"]}\n[1]\n', 2, "not a JSON object"),
    ("r.jsonl", b'{"text": "x", "labels": [3.5]}\n', 1, "label is no text: 3.5"),
    ("r.jsonl", b'{"text": ["x"], "labels": ["a"]}\n', 1, "text is no string"),
    ("r.jsonl", b'{"text": null, "labels": ["a"]}\n', 1, "empty text"),
    ("r.csv", b'text,labels\n"x\ny",a\n,b\n', 4, "empty text"),
    ("r.csv", b"text,labels\nx,a,b\n", 2, "wrong number of cells: 3, the header has 2"),
    ("r.csv", b"text,labels\nx,a\n\x81\xe9,b\n", 3, "neither UTF-8 nor Windows-1252"),
]


@pytest.mark.parametrize(("name", "content", "line", "fault"), STRICT)
def test_strict_stops_at_the_first_row_and_else_the_row_is_counted(
    tmp_path: Path, name: str, content: bytes, line: int, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        import_table(path, tmp_path / "out", strict=True)
    assert (caught.value.path, caught.value.line) == (str(path), line)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    good = write(tmp_path / "good.jsonl", '{"text": "good", "labels": ["g"]}\n')
    summary = import_table([path, good], tmp_path / "out", test_share=0, max_rejected=1)
    lost = {**reasons(summary, "rejected"), **reasons(summary, "labels")}
    assert any(f"{name}:{line}" in one["examples"][0] for one in summary.report["findings"] if one["reason"] in lost)


def test_notes_on_a_wrong_separator_and_on_case(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,labels\nx,Red|blue\ny,red|green\nz,blue\n")
    summary = import_table(path, tmp_path / "out", test_share=0)
    found = {one["reason"]: one["examples"][0] for one in summary.report["findings"]}
    assert found["is the separator right?"] == ("no cell of 'labels' holds ';', but 2 of 3 hold '|': --sep '|'?")
    summary = import_table(path, tmp_path / "out", test_share=0, separator="|")
    found = {one["reason"]: one["examples"][0] for one in summary.report["findings"]}
    assert found == {"labels that differ in upper and lower case only": "'Red' and 'red'"}


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'eclare_py\[parquet\]'"):
        import_table([tmp_path / "r.parquet"], tmp_path / "out")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_missing_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=f"none.{kind}: file is missing"):
        import_table([tmp_path / f"none.{kind}"], tmp_path / "out")


def test_bad_calls(tmp_path: Path) -> None:
    path = make(tmp_path, "jsonl")
    for source, keywords, fault in (
        ([], {}, "no files to import"),
        ([tmp_path / "rows.xlsx"], {}, "cannot tell the format"),
        (path, {"test_share": 1.0}, "test share is 1.0"),
        (path, {"test_share": float("nan")}, "test share is nan"),
        (path, {"test_share": 0.5, "test": path}, "not both"),
        (path, {"separator": ""}, "separator is empty"),
        (path, {"text": ["labels"]}, "a column is named twice"),
        (path, {"text": []}, "at least one text column"),
        (path, {"min_counts": 3}, "no option 'min_counts', did you mean 'min_count'"),
        (path, {"keep": 0}, "keep is 0"),
        (path, {"duplicates": "drop"}, "choose merge or keep"),
        (path, {"max_rejected": 2}, "max_rejected is 2"),
        (path, {"encoding": "utf-9"}, "encoding 'utf-9' is unknown"),
        (path, {"labels": str(path)}, "is a file: labels names the column"),
        (3, {}, "cannot import a int"),
        ({"test": [], "dev": []}, {}, "must have 'train'"),
    ):
        with pytest.raises(UsageError, match=fault):
            import_table(source, tmp_path / "out", **keywords)
    assert not (tmp_path / "out").exists()


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out" / "thesis.txt", "years of work")
    with pytest.raises(UsageError, match="thesis.txt is not part of a data folder"):
        import_table(make(tmp_path, "csv"), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_an_import_replaces_another_but_for_what_was_made_by_hand(tmp_path: Path) -> None:
    lines = ['{"label": "red", "text": "r", "broader": "blue"}', '{"label": "blue", "text": "b"}']
    labels = write(tmp_path / "labels.jsonl", "\n".join(lines))
    rows = [(f"text {number}", ["red"]) for number in range(10)]
    import_table(make(tmp_path, "csv", rows), tmp_path / "out", label_file=labels)
    assert load_dataset(tmp_path / "out").test is not None
    import_table(make(tmp_path, "csv"), tmp_path / "out", test_share=0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["import.json", "lbl.json.gz", "trn.json.gz"]
    write(tmp_path / "out" / "filter_labels_train.txt", "0 1\n")
    with pytest.raises(UsageError, match="filter_labels_train.txt would be lost"):
        import_table(make(tmp_path, "csv"), tmp_path / "out", test_share=0)
    assert load_dataset(tmp_path / "out").train.filter_pairs.tolist() == [[0, 1]]
