from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.data.aggregated import AggregatedDataset, aggregate
from eclare_py.data.dataset import Dataset, load_dataset
from eclare_py.data.lf import LfWriter, write_lf
from eclare_py.data.stats import describe
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError
from eclare_py.types import as_csr

LABELS: list[Any] = [{"uid": f"l{i}", "title": f"label {i}"} for i in range(4)]
TRAIN: list[Any] = [{"uid": f"d{i}", "title": f"text {i}"} for i in range(5)]
TEST: list[Any] = [{"uid": "t0", "title": "another", "target_ind": [2]}]
GROUPS: list[Any] = [{"members": [0, 3], "target_ind": [1, 2]}, {"members": [4, 1, 2], "target_ind": [0, 2, 3]}]


def pack(path: Path, rows: list[Any]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0))


def build(folder: Path, **changed: list[Any]) -> Path:
    folder.mkdir(parents=True)
    rows = {"lbl": LABELS, "trn": TRAIN, "tst": TEST, "groups": GROUPS} | changed
    for name, content in rows.items():
        pack(folder / f"{name}.json.gz", content)
    (folder / "filter_labels_train.txt").write_text("1 3\n3 1\n")
    return folder


def small() -> AggregatedDataset:
    labels = as_csr(sp.csr_array(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32)))
    dataset = Dataset([f"text {i}" for i in range(5)], labels, ["a", "b", "c"], ids=list("vwxyz"),
                      filter_pairs=np.array([[1, 0], [4, 1]]))  # fmt: skip
    return aggregate(dataset, np.array([1, 0, 2, 0, 1]))


def test_a_golden_folder_is_read(tmp_path: Path) -> None:
    folder = build(tmp_path / "data")
    data = load_dataset(folder)
    train = data.train
    assert isinstance(train, AggregatedDataset) and data.test is not None
    assert train.groups.tolist() == [0, 1, 1, 0, 1]
    assert train.group_labels.toarray().tolist() == [[0, 1, 1, 0], [1, 0, 1, 1]]
    # Every member may carry what its group does, but for filter pairs.
    assert train.labels.toarray().tolist() == [[0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 1], [0, 0, 1, 0], [1, 0, 1, 1]]
    assert train.label_frequencies.tolist() == [1, 1, 2, 1]
    assert (train.n_groups, train.ids) == (2, ["d0", "d1", "d2", "d3", "d4"])
    assert not isinstance(data.test, AggregatedDataset)
    assert validate_folder(folder) == []


def labelled(row: int) -> list[Any]:
    return [one | ({"target_ind": [1]} if number == row else {}) for number, one in enumerate(TRAIN)]


BROKEN = [
    ("member in two groups", {"groups": [*GROUPS, {"members": [1], "target_ind": [0]}]}, "groups", 3,
     "document 1 is in the group of line 2 too"),
    ("member missing", {"groups": [{"members": [0, 3], "target_ind": []}, {"members": [4, 1], "target_ind": [0]}]},
     "groups", None, "1 train documents are in no group (rows 2)"),
    ("member out of range", {"groups": [*GROUPS, {"members": [5], "target_ind": [0]}]}, "groups", 3,
     "members holds 5, outside the documents 0..4"),
    ("member negative", {"groups": [*GROUPS, {"members": [-1], "target_ind": [0]}]}, "groups", 3, "holds -1"),
    ("member no number", {"groups": [*GROUPS, {"members": ["1"], "target_ind": [0]}]}, "groups", 3, "holds '1'"),
    ("member twice", {"groups": [{"members": [0, 3, 0], "target_ind": []}, GROUPS[1]]}, "groups", 1, "holds 0 twice"),
    ("no members", {"groups": [*GROUPS, {"target_ind": [0]}]}, "groups", 3, "key members is missing"),
    ("empty members", {"groups": [*GROUPS, {"members": [], "target_ind": [0]}]}, "groups", 3, "members is []"),
    ("no labels key", {"groups": [GROUPS[0], {"members": [1, 2, 4]}]}, "groups", 2, "key target_ind is missing"),
    ("label out of range", {"groups": [GROUPS[0], GROUPS[1] | {"target_ind": [4]}]}, "groups", 2, "outside the labels"),
    ("label twice", {"groups": [GROUPS[0], GROUPS[1] | {"target_ind": [2, 2]}]}, "groups", 2, "holds 2 twice"),
    ("relevances", {"groups": [GROUPS[0], GROUPS[1] | {"target_rel": [1, 1, 1]}]}, "groups", 2, "target_rel"),
    ("no object", {"groups": [GROUPS[0], 7]}, "groups", 2, "is not a JSON object"),
    ("no groups", {"groups": []}, "groups", None, "no groups in it"),
    ("a document's own labels", {"trn": labelled(3)}, "trn", 4, "the labels are of the groups"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "file", "line", "words"), [one[1:] for one in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_is_wrong_is_told_with_its_place(changed: Any, file: str, line: int, words: str, tmp_path: Any) -> None:
    folder = build(tmp_path / "data", **changed)
    with pytest.raises(DataError, match=".") as caught:
        load_dataset(folder)
    assert caught.value.path == str(folder / f"{file}.json.gz") and caught.value.line == line
    assert words in str(caught.value)
    first = next(problem for problem in validate_folder(folder) if problem.severity == "error")
    assert words in first.message


def test_the_validator_warns_of_groups_that_teach_nothing(tmp_path: Path) -> None:
    groups = [GROUPS[0] | {"target_ind": []}, GROUPS[1]]
    folder = build(tmp_path / "data", groups=groups)
    (folder / "filter_labels_train.txt").write_text("1 3\n2 3\n4 3\n4 1\n")
    found = [(problem.severity, problem.line, problem.message) for problem in validate_folder(folder)]
    assert [line for _, line, _ in found] == [1, 2]
    assert "1 groups have no label" in found[0][2] and "1 labels of groups are filter pairs of all" in found[1][2]


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    before = small()
    write_lf(tmp_path / "out", before, card={"name": "mine"})
    after = load_dataset(tmp_path / "out").train
    assert isinstance(after, AggregatedDataset)
    np.testing.assert_array_equal(after.groups, before.groups)
    np.testing.assert_array_equal(after.group_labels.toarray(), before.group_labels.toarray())
    np.testing.assert_array_equal(after.labels.toarray(), before.labels.toarray())
    np.testing.assert_array_equal(after.filter_pairs, before.filter_pairs)
    assert (after.texts, after.ids, after.label_texts) == (before.texts, before.ids, before.label_texts)
    # Nothing of what single documents carry is in the folder.
    lines = gzip.decompress((tmp_path / "out" / "trn.json.gz").read_bytes()).decode().splitlines()
    assert all(set(json.loads(line)) == {"uid", "title"} for line in lines)


def test_aggregation_forgets_who_carries_what() -> None:
    data = small()
    assert data.group_labels.toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert data.labels.toarray().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert data.label_frequencies.tolist() == [2, 1, 1]


def test_groups_are_taken_whole() -> None:
    data = small()
    part = data.subset([3, 2, 1])
    assert part.texts == ["text 3", "text 2", "text 1"] and part.groups.tolist() == [0, 1, 0]
    assert part.group_labels.toarray().tolist() == [[1, 1, 0], [0, 0, 0]]
    for rows in ([1], [0, 4, 3], [2, 2]):
        with pytest.raises(UsageError, match="all members of group"):
            data.subset(rows)
    rest, held = data.split(1, seed=0)
    assert len(rest) + len(held) == 5 and len(held) >= 1
    assert isinstance(held, AggregatedDataset) and rest.n_groups + held.n_groups == 3
    with pytest.raises(UsageError, match="leaves one part empty"):
        data.split(5, seed=0)


@pytest.mark.parametrize(
    ("groups", "words"), [([0, 0, 1, 1], "must be"), ([0, 0, 1, 1, 3], "outside 0..2"), ([0, 0, 1, 1, 1], "no member")]
)
def test_parts_that_do_not_fit_are_refused(groups: list[int], words: str) -> None:
    data = small()
    with pytest.raises(ValueError, match=words):
        AggregatedDataset(
            data.texts, data.labels, data.label_texts, groups=np.array(groups), group_labels=data.group_labels
        )


def test_the_writer_refuses_groups_that_do_not_part_the_documents(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in no other group"), LfWriter(tmp_path / "a") as writer:
        writer.group([0, 1], [])
        writer.group([1], [])
    with pytest.raises(DataError, match="1 documents are in no group"), LfWriter(tmp_path / "b") as writer:
        writer.label("x")
        for text in ("one", "two"):
            writer.document("train", text, None)
        writer.group([1], [0])


def test_statistics_tell_of_groups(tmp_path: Path) -> None:
    facts = describe(build(tmp_path / "data"))
    train = facts["train"]
    assert (train["groups"], train["documents_per_group"]["mean"], train["labels_per_group"]["mean"]) == (2, 2.5, 2.5)
    assert facts["labels"]["documents_per_label"]["max"] == 2
    assert "groups" not in facts["test"]
