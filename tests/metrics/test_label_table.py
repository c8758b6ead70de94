"""The table of labels: by hand, against a loop, and as files."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from eclare_py.errors import UsageError
from eclare_py.metrics import LabelTable, Trial, label_table, open_trial
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.label_table import check_table_path, confusions
from eclare_py.types import Ranking, as_csr
from tests.metrics.naive import problem, rows_of

TEXTS = ["audio", "video, or film", 'the "web"', "net\nwork", "schön"]
IDS = ["a", "v", "w", "n", "t"]
GRAPH = as_csr([[5, 1, 3, 0, 3], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0.5, 0, 0, 0, 2], [0, 1, 0, 0, 0]])


def trial() -> Trial:
    """Four documents; 0 is relevant for three of them, and two of these have 1 and 4 in its place.

    document   relevant    top 5
    0          0 2         1 2 4
    1          0           4 1
    2          0 3         3 0 1
    3          2           (nothing)
    """
    indices = np.array([[1, 2, 4], [4, 1, -1], [3, 0, 1], [-1, -1, -1]])
    truth = as_csr([[1, 0, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 1, 0, 0]])
    return open_trial(Ranking(indices, np.zeros(indices.shape, dtype=np.float32)), truth, [9, 4, 0, 1, 2], 20)


def test_by_hand() -> None:
    columns = label_table(trial(), TEXTS, ids=IDS, graph=GRAPH, listed=2).columns
    assert columns == {
        "label": [0, 1, 2, 3, 4],
        "id": IDS,
        "text": TEXTS,
        "train_documents": [9, 4, 0, 1, 2],
        "test_positives": [3, 0, 2, 1, 0],
        "predicted@5": [1, 3, 1, 1, 2],
        "hits@5": [1, 0, 1, 1, 0],
        "predicted@10": [1, 3, 1, 1, 2],
        "hits@10": [1, 0, 1, 1, 0],
        "R@10": [33.3333, None, 50.0, 100.0, None],
        "F1@5": [50.0, None, 66.6667, 100.0, None],
        "confused_with": [["video, or film", "schön"], [], [], [], []],
        "confused_count": [[2, 2], [], [], [], []],
        "neighbours": [['the "web"', "schön"], [], [], ["schön", "audio"], ["video, or film"]],
    }
    plain = label_table(trial(), TEXTS).columns
    assert plain["id"] == TEXTS and plain["neighbours"] == [[]] * 5


def test_hits_are_no_confusions_and_confusions_agree_with_a_loop() -> None:
    met = 0
    for seed in range(60):
        case = problem(seed)
        judged = Judged.of(Ranking.from_csr(case.scores, 20), case.truth)
        counts: Counter[tuple[int, int]] = Counter()
        for ranked, truth in rows_of(replace(case, pairs=case.pairs[:0])):
            top = set(ranked[:3])
            counts.update((missed, wrong) for missed in truth - top for wrong in top - truth)
        found = confusions(judged, 3).tocoo()
        got = dict(zip(zip(found.row.tolist(), found.col.tolist(), strict=True), found.data.tolist(), strict=True))
        assert got == counts
        met += len(counts)
    assert met > 100


def test_csv_can_be_read_back(tmp_path: Path) -> None:
    table = label_table(trial(), TEXTS, ids=IDS, graph=GRAPH)
    table.save(tmp_path / "t.csv")
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(table.columns) and [row["text"] for row in rows] == TEXTS
    assert [row["R@10"] for row in rows] == ["33.3333", "", "50.0", "100.0", ""]
    for name in ("confused_with", "confused_count", "neighbours"):
        assert [json.loads(row[name]) for row in rows] == table.columns[name]
    assert "schön" in rows[0]["neighbours"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("rows", [slice(None), slice(0, 0)])
def test_parquet_can_be_read_back(tmp_path: Path, rows: slice) -> None:
    full = label_table(trial(), TEXTS, ids=IDS, graph=GRAPH)
    table = LabelTable({name: values[rows] for name, values in full.columns.items()})
    table.save(tmp_path / "t.parquet")
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.to_pydict() == table.columns
    assert str(read.schema.field("F1@5").type) == "double" and "list" in str(read.schema.field("neighbours").type)


def test_a_path_is_checked_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert check_table_path("x.csv") == ".csv" and check_table_path("x.parquet") == ".parquet"
    with pytest.raises(UsageError, match=r"x\.tsv: a table is written as \.csv or \.parquet"):
        check_table_path("x.tsv")

    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'eclare_py\[parquet\]', or write \.csv"):
        label_table(trial(), TEXTS).save(tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="texts has 4 entries, there are 5 labels"):
        label_table(trial(), TEXTS[:4])
    with pytest.raises(ValueError, match="ids has 1 entries"):
        label_table(trial(), TEXTS, ids=["a"])
    with pytest.raises(ValueError, match="label graph is 2 x 5, expected 5 x 5"):
        label_table(trial(), TEXTS, graph=GRAPH[:2])
