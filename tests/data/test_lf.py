from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.data import lines
from eclare_py.data.dataset import Dataset, load_dataset
from eclare_py.data.lf import LfWriter, write_lf
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError
from eclare_py.types import as_csr


def pack(path: Path, *rows: dict[str, object]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def test_golden_folder(tmp_path: Path) -> None:
    pack(tmp_path / "lbl.json.gz", {"title": "cats", "uid": 7}, {"title": "dogs", "content": "all of them", "uid": "d"})
    pack(
        tmp_path / "trn.json.gz",
        {"title": "a cat", "content": "sat", "target_ind": [0], "more": "ignored"},
        {"title": "both", "content": "", "target_ind": [1, 0], "target_rel": [0.5, 2]},
        {"title": "", "content": "only content", "target_ind": [], "target_rel": []},
        {"title": "caf\u00e9 \U0001f408", "content": None, "target_ind": [1]},
    )
    (tmp_path / "filter_labels_train.txt").write_text("3 1\n0 1\n3 1\n")
    folder = load_dataset(str(tmp_path))
    train = folder.train
    assert train.texts == ["a cat sat", "both", "only content", "caf\u00e9 \U0001f408"]
    assert train.labels.toarray().tolist() == [[1, 0], [2, 0.5], [0, 0], [0, 1]]
    assert train.labels.dtype == np.float32
    assert train.label_texts == ["cats", "dogs all of them"]
    assert (train.ids, train.label_ids) == (None, ["7", "d"])
    assert train.filter_pairs.tolist() == [[0, 1], [3, 1]]
    assert (folder.test, folder.name) == (None, tmp_path.name)
    assert (folder.propensity_a, folder.propensity_b) == (0.55, 1.5)


def test_card_gives_name_and_propensity(tmp_path: Path) -> None:
    data = Dataset.from_texts(["x"], [["a"]])
    write_lf(tmp_path / "out", data, card={"name": "my set", "propensity": {"A": 0.6, "B": 2.6}, "licence": "CC0"})
    folder = load_dataset(tmp_path / "out")
    assert (folder.name, folder.propensity_a, folder.propensity_b) == ("my set", 0.6, 2.6)


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: not text.isspace())
RELEVANCE = st.floats(2.0**-20, 2.0**20, width=32)


@st.composite
def folders(draw: st.DrawFn) -> tuple[Dataset, Dataset]:
    n_labels = draw(st.integers(1, 5))
    label_texts = draw(st.lists(TEXT, min_size=n_labels, max_size=n_labels))
    label_ids = [f"l{i}" for i in range(n_labels)] if draw(st.booleans()) else None
    parts = []
    for _ in range(2):
        texts = draw(st.lists(TEXT, min_size=1, max_size=6))
        dense = np.zeros((len(texts), n_labels), dtype=np.float32)
        values = RELEVANCE if draw(st.booleans()) else st.just(1.0)
        for cell in draw(st.sets(st.integers(0, dense.size - 1))):
            dense.flat[cell] = draw(values)
        flat = sorted(draw(st.sets(st.integers(0, dense.size - 1))))
        pairs = np.array([divmod(cell, n_labels) for cell in flat], dtype=np.int64).reshape(-1, 2)
        ids = [f"d{i}" for i in range(len(texts))] if draw(st.booleans()) else None
        parts.append(Dataset(texts, as_csr(dense), label_texts, ids, label_ids, pairs))
    return parts[0], parts[1]


@given(folders())
@settings(max_examples=40, deadline=None)
def test_write_then_read_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, parts: tuple[Dataset, Dataset]
) -> None:
    folder = tmp_path_factory.mktemp("lf") / "out"
    write_lf(folder, *parts)
    again = load_dataset(folder)
    assert again.test is not None
    for wrote, read in zip(parts, (again.train, again.test), strict=True):
        assert read.texts == wrote.texts
        assert (read.ids, read.label_ids, read.label_texts) == (wrote.ids, wrote.label_ids, wrote.label_texts)
        assert read.labels.toarray().tolist() == wrote.labels.toarray().tolist()
        assert read.filter_pairs.tolist() == wrote.filter_pairs.tolist()
    assert all(problem.severity == "warning" for problem in validate_folder(folder))


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    data = Dataset.from_texts(["x", "y"], [["a"], ["b"]])
    for name in ("one", "two"):
        write_lf(tmp_path / name, data, data)
    for name in ("trn.json.gz", "tst.json.gz", "lbl.json.gz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_rows_may_come_from_generators_in_any_order(tmp_path: Path) -> None:
    with LfWriter(tmp_path / "out") as writer:
        writer.filter_pairs("train", ((row, 1) for row in (1, 0)))
        assert writer.document("train", "first", np.array([1, 0])) == 0
        assert writer.document("train", "second", {2}, relevances=np.array([0.25], dtype=np.float32)) == 1
        assert [writer.label(text) for text in ("a", "b", "c")] == [0, 1, 2]
        assert writer.counts == {"labels": 3, "train": 2, "test": 0}
    train = load_dataset(tmp_path / "out").train
    assert train.labels.toarray().tolist() == [[1, 1, 0], [0, 0, 0.25]]
    assert train.filter_pairs.tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("arguments", "keywords", "fault"),
    [
        (("train", "", [0]), {}, "row 1 of train: text is ''"),
        (("train", " ", [0]), {}, "text is ' '"),
        (("train", "\ud800", [0]), {}, "lone surrogate"),
        (("train", "x", [0, 0]), {}, "distinct and not negative"),
        (("train", "x", [-1]), {}, "distinct and not negative"),
        (("train", "x", [1]), {}, "row 1 of train has label 1, but only 1 labels were written"),
        (("train", "x", [0]), {"uid": "d"}, "all rows have one or none"),
        (("train", "x", [0]), {"relevances": [float("nan")]}, "must be one finite number"),
        (("train", "x", [0]), {"relevances": [1.0, 1.0]}, "must be one finite number"),
    ],
)
def test_a_bad_row_leaves_nothing_behind(
    tmp_path: Path, arguments: tuple[object, ...], keywords: dict[str, object], fault: str
) -> None:
    with pytest.raises(DataError, match=fault), LfWriter(tmp_path / "out") as writer:
        writer.label("a")
        writer.document("train", "good", [0])
        writer.document(*arguments, **keywords)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pair", [(1, 0), (0, 1), (-1, 0)])
def test_filter_pairs_outside_the_rows_are_refused(tmp_path: Path, pair: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="filter pair"), LfWriter(tmp_path / "out") as writer:
        writer.label("a")
        writer.document("train", "x", [0])
        writer.filter_pairs("train", [pair])
    assert list(tmp_path.iterdir()) == []


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labels written"), LfWriter(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_folder_that_was_there(tmp_path: Path) -> None:
    write_lf(tmp_path / "out", Dataset.from_texts(["old"], [["a"]]))
    with pytest.raises(KeyboardInterrupt), LfWriter(tmp_path / "out") as writer:
        writer.label("a")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert load_dataset(tmp_path / "out").train.texts == ["old"]
    write_lf(tmp_path / "out", Dataset.from_texts(["new"], [["a"]]))
    assert load_dataset(tmp_path / "out").train.texts == ["new"]


def test_a_folder_of_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="thesis.txt is not part of a data folder"):
        write_lf(tmp_path, Dataset.from_texts(["x"], [["a"]]))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_splits_must_have_the_same_labels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same labels"):
        write_lf(tmp_path / "out", Dataset.from_texts(["x"], [["a"]]), Dataset.from_texts(["x"], [["b"]]))


def test_a_line_beyond_the_limit_is_refused_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    pack(tmp_path / "lbl.json.gz", {"title": "a"})
    rows = [{"title": "x" * length, "target_ind": [0]} for length in (3, 5000, 4)]
    pack(tmp_path / "trn.json.gz", *rows)
    with pytest.raises(DataError, match=r"trn.json.gz:2: line is longer than 100 bytes"):
        load_dataset(tmp_path)
    assert [(problem.line, problem.severity) for problem in validate_folder(tmp_path)] == [(2, "error")]


def test_a_last_line_without_line_end_and_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "lbl.json.gz").write_bytes(gzip.compress(b'{"title": "a"}\r\n{"title": "b"}'))
    pack(tmp_path / "trn.json.gz", {"title": "x", "target_ind": [1]})
    assert load_dataset(tmp_path).train.label_texts == ["a", "b"]
