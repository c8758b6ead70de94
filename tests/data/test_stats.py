from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from eclare_py.data.dataset import DataFolder, Dataset
from eclare_py.data.lf import write_lf
from eclare_py.data.stats import describe
from eclare_py.types import as_csr


def folder() -> DataFolder:
    """Four labels met in 7, 5, 1 and 0 of 8 train documents."""
    dense = np.zeros((8, 4))
    dense[:7, 0] = dense[:5, 1] = dense[0, 2] = 1
    names = ["aa", "bb", "cc", "dddd"]
    train = Dataset(
        [f"text {'x' * i}" for i in range(8)], as_csr(dense), names, filter_pairs=np.array([[0, 3], [7, 0]])
    )
    test = Dataset(["abc"], as_csr([[1, 0, 0, 1]]), names)
    return DataFolder(train, test, "tiny", Path("tiny"), 0.6, 2.6)


def test_golden() -> None:
    told = describe(folder())
    assert (told["name"], told["path"], told["propensity"]) == ("tiny", "tiny", {"A": 0.6, "B": 2.6})
    labels = told["labels"]
    assert labels["count"] == 4
    assert (labels["tail"], labels["unseen"]) == ({"count": 2, "share": 0.5}, {"count": 1, "share": 0.25})
    assert labels["median_text_length"] == 2.0
    assert {key: labels["documents_per_label"][key] for key in ("mean", "median", "max", "p25", "p75")} == {
        "mean": 3.25,
        "median": 3.0,
        "max": 7,
        "p25": 0.75,
        "p75": 5.5,
    }
    train = told["train"]
    assert (train["documents"], train["pairs"], train["filter_pairs"], train["documents_without_labels"]) == (
        8,
        13,
        2,
        1,
    )
    assert train["labels_per_document"]["mean"] == 1.625
    assert train["median_text_length"] == 8.5
    assert train["tail_pair_share"] == round(6 / 13, 6)
    assert (told["test"]["documents"], told["test"]["tail_pair_share"]) == (1, 0.0)


def test_from_a_path_without_test_split(tmp_path: Path) -> None:
    write_lf(tmp_path / "out", folder().train)
    told = describe(tmp_path / "out")
    assert told["test"] is None
    assert told["train"] == describe(folder())["train"]
    assert json.loads(json.dumps(told)) == told
