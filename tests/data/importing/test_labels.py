"""Cells of the label column: printed lists, numbers that became floats, separators that were not named."""

from __future__ import annotations

import csv
import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.importing import import_table
from eclare_py.data.importing.values import printed_list


def table(path: Path, cells: list[str]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "labels"], *([f"text {row}", cell] for row, cell in enumerate(cells))])
    return path


def imported(tmp_path: Path, cells: list[str], **options: Any) -> tuple[list[str], dict[str, str], list[list[str]]]:
    """Names of the labels, the first example of each finding, and the labels of each document."""
    summary = import_table(table(tmp_path / "r.csv", cells), tmp_path / "d", test_share=0, max_rejected=1, **options)
    part = load_dataset(tmp_path / "d").train
    names = part.label_ids or []
    rows = [[names[label] for label in row] for row in np.split(part.labels.indices, part.labels.indptr[1:-1])]
    return names, {one["reason"]: one["examples"][0] for one in summary.report["findings"] if one["examples"]}, rows


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("['battery', '\u00fcber']", ["battery", "\u00fcber"]),
        ('["a, b", "b\\u00fc", 3, null]', ["a, b", "b\u00fc", 3]),
        (""" ["it's", 'say "hi"', 'it\\'s', None] """, ["it's", 'say "hi"', "it's"]),
        ("('a',)", ["a"]),
        ("('a', 'b')", ["a", "b"]),
        ("{'a', 2}", ["a", 2]),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),  # an array of numpy
        ("[1 12]", [1, 12]),
        ("[np.int64(3), np.str_('a b'), nan, <NA>]", [3, "a b"]),
        ("[3.0, 1]", [3.0, 1]),
        ("[]", []),
        ("set()", []),
        ("()", []),
    ],
)
def test_a_printed_list_is_read(cell: str, items: list[Any]) -> None:
    assert printed_list(cell) == items


@pytest.mark.parametrize(
    "cell",
    [
        "a", "", "[draft]", "[a, b]", "('a')", "(5)", "(draft)", "{'a': 1}", "{}", "['a'", "['a'] b", "['a''b']",
        "[007]", "['\\q']", "['\\x4']", "[__import__('os')]", "[[1]]", "[1, nano]", "[os.int(1)]",
        "[np.int64(f(1))]", "[" + "9" * 5000 + "]", "[" * 50_000,
        "[" + " " * 200_000 + "x]",
    ],
)  # fmt: skip
def test_what_is_no_printed_list_is_left_alone(cell: str) -> None:
    assert printed_list(cell) is None


@pytest.mark.parametrize("printed", [str, json.dumps, lambda items: str(np.array(items))])
def test_a_column_of_printed_lists_gives_their_items(tmp_path: Path, printed: Any) -> None:
    lists = [["battery", "\u00fcber; all"], ["battery"], ["it's", "battery"]]
    names, told, rows = imported(tmp_path, [*map(printed, lists), "[]", ""])
    assert rows == [["battery", "\u00fcber; all"], ["battery"], ["battery", "it's"]]
    assert set(names) == {"battery", "\u00fcber; all", "it's"}
    assert set(told) == {"printed lists: their items are taken", "row without labels"}
    assert told["printed lists: their items are taken"].startswith("4 of 4 cells of 'labels', e.g. ")


def test_printed_lists_among_other_cells_are_told(tmp_path: Path) -> None:
    _, told, rows = imported(tmp_path, ["['a', 'b']", "a;c", "b"])
    assert rows == [["a", "b"], ["a", "c"], ["b"]]
    (said,) = [example for reason, example in told.items() if reason == "some cells are printed lists, others are not"]
    assert said.startswith("1 of 3 cells of 'labels'") and said.endswith("the others were split at ';', e.g. 'a;c'")


def test_brackets_that_cannot_be_read_are_told_and_no_separator_is_suggested(tmp_path: Path) -> None:
    _, told, _ = imported(tmp_path, ["[battery, drill]", "[drill, saw]", "[saw, battery]"])
    assert list(told) == ["brackets around labels"] and "write JSON arrays" in told["brackets around labels"]


def test_a_column_of_floats_is_the_same_labels_from_every_format(tmp_path: Path) -> None:
    values = [3.0, 0.0, None, 12.0]
    rows = [{"text": f"text {row}", "labels": value} for row, value in enumerate(values)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.table({"text": [row["text"] for row in rows], "labels": values}), tmp_path / "r.parquet")
    table(tmp_path / "r.csv", ["" if value is None else str(value) for value in values])
    reasons = {}
    for name in ("r.jsonl", "r.parquet", "r.csv"):
        summary = import_table(tmp_path / name, tmp_path / "d", test_share=0)
        assert load_dataset(tmp_path / "d").train.label_ids == ["3", "0", "12"], name
        reasons[name] = [one["reason"] for one in summary.report["findings"]]
    assert reasons["r.jsonl"] == reasons["r.parquet"] == ["row without labels"]
    assert reasons["r.csv"] == ["row without labels", "whole numbers with a decimal point"]


@pytest.mark.parametrize(
    ("cells", "options", "names", "reason"),
    [
        (["3.0", "4.0", ""], {}, ["3", "4"], "whole numbers with a decimal point"),
        (["3.0", "4.0", ""], {"repair": False}, ["3.0", "4.0"], "whole numbers with a decimal point"),
        (["3.0", "4.5", ""], {}, ["3.0", "4.5"], None),
        (["3.0", "3", ""], {}, ["3.0", "3"], "labels that are the same number"),
        (["['1.0']", "['2.0']"], {}, ["1.0", "2.0"], "printed lists: their items are taken"),
    ],
)
def test_floats_in_text(
    tmp_path: Path, cells: list[str], options: dict[str, Any], names: list[str], reason: str | None
) -> None:
    found, told, _ = imported(tmp_path, cells, **options)
    assert found == names and set(told) - {"row without labels"} == ({reason} if reason else set())


def test_floats_find_the_numbers_of_a_label_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("label,text\n3,three\n4,four\n5.0,five\n")
    _, _, rows = imported(tmp_path, ["3.0", "4", "5.0"], label_file=tmp_path / "labels.csv")
    assert rows == [["3"], ["4"], ["5.0"]]


def label_sets(n_labels: int, rows: int, most: int, separator: str) -> list[str]:
    source = random.Random(1)
    names = [f"tag{number}" for number in range(n_labels)]
    weights = [1 / (number + 1) for number in range(n_labels)]
    sets = [sorted(set(source.choices(names, weights, k=source.randint(1, most)))) for _ in range(rows)]
    return [separator.join(one) for one in sets]


@pytest.mark.parametrize("separator", [" ", ",", ", ", "/", "|", "\t"])
@pytest.mark.parametrize(("n_labels", "rows"), [(6, 120), (85, 600), (400, 1500)])
def test_a_separator_that_was_not_named_is_suggested(tmp_path: Path, separator: str, n_labels: int, rows: int) -> None:
    names, told, _ = imported(tmp_path, label_sets(n_labels, rows, 5, separator))
    assert len(names) > n_labels
    assert told["is the separator right?"].endswith(f": --sep {separator[:1]!r}?")
    assert "is the separator right?" not in imported(tmp_path, label_sets(n_labels, rows, 5, ";"))[1]


COLOURS, THINGS = "red green blue black white pink".split(), "shirt hat coat shoe sock dress".split()
CATEGORIES = ["Arts, Crafts & Sewing", "Clothing, Shoes & Jewelry", "Sports & Outdoors", "Health, Food & Care"]
PHRASES = (
    "machine learning;deep learning;learning rate;data science;big data;office supplies;home and garden;data mining;"
    "garden tools;power tools;tools;home;garden;office;science fiction;fiction;rate limit;office chair;chair"
).split(";")


@pytest.mark.parametrize(
    "names",
    [
        PHRASES,
        CATEGORIES,
        [f"{colour} {thing}" for colour in COLOURS for thing in THINGS],
        [unicodedata.name(chr(code), "x") for code in range(0x20, 0x1000)],
        ["client/server", "and/or", "input/output", "TCP/IP", "read/write", "yes/no", "on/off", "24/7"],
    ],
)
def test_names_of_several_words_raise_no_alarm(tmp_path: Path, names: list[str]) -> None:
    source = random.Random(2)
    _, told, _ = imported(tmp_path, [*names, *source.choices(names, k=300)])
    assert "is the separator right?" not in told
