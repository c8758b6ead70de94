from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.data.problems import Collector
from eclare_py.data.xc import SparseSplit, read_all_in_one, read_sparse, write_all_in_one, write_sparse
from eclare_py.errors import DataError
from eclare_py.types import as_csr


def test_golden_split_file(tmp_path: Path) -> None:
    path = tmp_path / "trn_X_Xf.txt"
    path.write_text("4 3\n2:0.5 0:-1e2\n\n1:1.0 \n0:.25\t2:3\r\n")
    matrix = read_sparse(path)
    assert matrix.toarray().tolist() == [[-100, 0, 0.5], [0, 0, 0], [0, 1, 0], [0.25, 0, 3]]
    assert matrix.dtype == np.float32
    assert matrix.has_canonical_format


def test_golden_all_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "train.txt.gz"
    path.write_bytes(gzip.compress(b"5 3 4\n3,0 0:1.5 2:2\n 1:1\n2 \n1,2 2:-1\n2:4 0:1\n"))
    split = read_all_in_one(path)
    assert split.labels.toarray().tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert split.features.toarray().tolist() == [[1.5, 0, 2], [0, 1, 0], [0, 0, 0], [0, 0, -1], [1, 0, 4]]


def dense(rows: int, columns: int, values: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    cell = st.one_of(st.just(0.0), values)
    flat = st.lists(cell, min_size=rows * columns, max_size=rows * columns)
    return flat.map(lambda found: np.array(found, dtype=np.float32).reshape(rows, columns))


ANY = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.data(), st.integers(0, 5), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_write_then_read_is_bitwise_equal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, rows: int, columns: int, n_labels: int
) -> None:
    folder = tmp_path_factory.mktemp("xc")
    features = as_csr(data.draw(dense(rows, columns, ANY)))
    labels = as_csr(data.draw(dense(rows, n_labels, st.just(1.0))))
    write_sparse(folder / "split.txt", features)
    write_all_in_one(folder / "all.txt", SparseSplit(features, labels))
    both = read_all_in_one(folder / "all.txt")
    for read, wrote in (
        (read_sparse(folder / "split.txt"), features),
        (both.features, features),
        (both.labels, labels),
    ):
        assert read.shape == wrote.shape
        assert read.toarray().tobytes() == wrote.toarray().tobytes()


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        ("2 3 4\n0 0:1\n", 1, "header says 2 rows, the file has 1"),
        ("1 3 4\n0 0:1\n1 1:1\n", 3, "header says 1 rows, here is one more"),
        ("2 3\n0 0:1\n1 1:1\n", 1, "header is '2 3': it must be \"N D L\""),
        ("1 3 4\n4 0:1\n", 2, "index 4 is outside 0..3"),
        ("1 3 4\n0 3:1\n", 2, "index 3 is outside 0..2"),
        ("1 3 4\n0,0 1:1\n", 2, "index 0 stands twice"),
        ("1 3 4\n0, 1:1\n", 2, "label '' is no row number"),
        ("1 3 4\n-1 1:1\n", 2, "label '-1' is no row number"),
        ("1 3 4\na 1:1\n", 2, "label 'a' is no row number"),
        ("1 3 4\n0 1:inf\n", 2, "NaN or infinity"),
        ("1 3 4\n0 1:1e39\n", 2, "value of index 1 is 1e+39"),
        ("1 3 4\n0 1:1 1\n", 2, "'1' is not index:value"),
        ("1 3 4\n0 1:1:1\n", 2, "'1:1:1' is not index:value"),
    ],
)
def test_faults_of_all_in_one_files(tmp_path: Path, content: str, line: int, fault: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_all_in_one(path)
    assert (caught.value.path, caught.value.line) == (str(path), line)
    assert fault in str(caught.value)
    collector = Collector()
    read_all_in_one(path, report=collector)
    assert (collector.problems[0].line, collector.problems[0].message in str(caught.value)) == (line, True)


def test_all_faults_of_a_row_are_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trn_X_Y.txt"
    path.write_text("2 3\n0:1 7:1 0:1 x 1:nan\n2:1\n")
    collector = Collector()
    matrix = read_sparse(path, report=collector, labels=True)
    assert [problem.line for problem in collector.problems] == [2, 2, 2, 2]
    assert matrix.toarray().tolist() == [[1, 0, 0], [0, 0, 1]]


def test_values_overflowing_float32_are_told_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "trn_X_Xf.txt"
    path.write_text("1 2\n0:1e39 1:1\n")
    collector = Collector()
    assert read_sparse(path, report=collector).toarray().tolist() == [[0, 1]]
    assert len(collector.problems) == 1


def test_a_lying_header_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "trn_X_Y.txt"
    path.write_text("999999999999999 3\n0:1\n")
    with pytest.raises(DataError, match="the file has 1"):
        read_sparse(path)


def test_all_in_one_holds_no_relevances(tmp_path: Path) -> None:
    one, half = as_csr([[1.0]]), as_csr([[0.5]])
    with pytest.raises(ValueError, match="labels must all be 1"):
        write_all_in_one(tmp_path / "x.txt", SparseSplit(one, half))
    with pytest.raises(ValueError, match="features have 1 rows, labels 2"):
        write_all_in_one(tmp_path / "x.txt", SparseSplit(one, as_csr([[1.0], [1.0]])))
    assert list(tmp_path.iterdir()) == []
