from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.data.dataset import Dataset, load_dataset
from eclare_py.data.label_edges import EDGES, no_edges, sorted_edges
from eclare_py.data.lf_writer import LfWriter, write_lf
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError
from eclare_py.train.prepare import fingerprint


def make(folder: Path, lines: str | None = None) -> Path:
    with LfWriter(folder) as writer:
        for name in ("animal", "cat", "dog"):
            writer.label(name)
        writer.document("train", "a cat and a dog", [1, 2])
        writer.document("test", "my cat", [1])
    if lines is not None:
        (folder / EDGES).write_text(lines)
    return folder


def test_edges_are_read_into_both_splits(tmp_path: Path) -> None:
    folder = load_dataset(make(tmp_path / "d", "2 0 broader\n1 0 broader\n1 2 related\n1 0 broader\n"))
    assert folder.train.label_edges.tolist() == [[1, 0, 0], [1, 2, 1], [2, 0, 0]]
    assert folder.test is not None and folder.test.label_edges.tolist() == folder.train.label_edges.tolist()
    assert folder.train.subset([0]).label_edges.tolist() == folder.train.label_edges.tolist()
    assert load_dataset(make(tmp_path / "e")).train.label_edges.shape == (0, 3)


def test_the_writer_writes_what_the_reader_reads(tmp_path: Path) -> None:
    folder = load_dataset(make(tmp_path / "d", "2 0 broader\n1 2 related\n0 1 narrower\n"))
    write_lf(tmp_path / "copy", folder.train, folder.test)
    assert load_dataset(tmp_path / "copy").train.label_edges.tolist() == folder.train.label_edges.tolist()
    assert validate_folder(tmp_path / "copy") == []
    write_lf(tmp_path / "copy", folder.train, folder.test)  # its own files are no strangers to it


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1 0", "is no edge"),
        ("1 -2 related", "is no edge"),
        ("1 0 brader", "unknown, did you mean 'broader'"),
        ("1 3 related", r"label 3 is outside 0\.\.2"),
        ("2 2 related", "related to itself"),
        ("", "is no edge"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, fault: str) -> None:
    folder = make(tmp_path / "d", f"1 0 broader\n{line}\n")
    with pytest.raises(DataError, match=fault) as caught:
        load_dataset(folder)
    assert (caught.value.path, caught.value.line) == (str(folder / EDGES), 2)
    assert [(problem.line, problem.severity) for problem in validate_folder(folder)] == [(2, "error")]


def test_sorted_edges() -> None:
    assert sorted_edges([(1, 2, 1), (1, 0, 0), (1, 2, 1)]).tolist() == [[1, 0, 0], [1, 2, 1]]
    assert sorted_edges([]).shape == no_edges().shape == (0, 3)


def test_a_dataset_refuses_edges_that_do_not_fit() -> None:
    labels = sp.csr_array((1, 3), dtype=np.float32)
    for edges, fault in (
        ([[0, 3, 0]], "outside 3 labels"),
        ([[0, 1, 3]], "3 relations"),
        ([[1, 1, 0]], "to itself"),
        ([[1, 0, 0], [0, 1, 0]], "sorted"),
        ([[0, 1]], r"must be \(E, 3\)"),
    ):
        with pytest.raises(ValueError, match=fault):
            Dataset(["x"], labels, ["a", "b", "c"], label_edges=np.array(edges, dtype=np.int64))


def test_the_writer_refuses_bad_edges(tmp_path: Path) -> None:
    for edge in ((1, 1, "related"), (0, 1, "near"), (-1, 1, "related")):
        with pytest.raises(DataError, match="must join two labels"), LfWriter(tmp_path / "d") as writer:
            writer.edge(*edge)
    with pytest.raises(DataError, match="only 1 labels"), LfWriter(tmp_path / "d") as writer:
        writer.label("a")
        writer.document("train", "x", [0])
        writer.edge(0, 4, "related")
    folder = load_dataset(make(tmp_path / "f", "1 0 broader\n"))
    assert folder.test is not None
    with pytest.raises(UsageError, match="same label edges"):
        write_lf(tmp_path / "g", folder.train, load_dataset(make(tmp_path / "h")).test)


def test_the_fingerprint_knows_edges(tmp_path: Path) -> None:
    with_edges = load_dataset(make(tmp_path / "f", "1 0 broader\n")).train
    assert fingerprint(with_edges) != fingerprint(load_dataset(make(tmp_path / "h")).train)
