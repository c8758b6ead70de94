"""`eclare finetune` as a user runs it: new documents with a new label, an interrupted run, calls at fault."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eclare_py.estimator import EclareClassifier
from tests.integration.command import eclare, error_of
from tests.tiny import arrays_of


@pytest.fixture(scope="module")
def new_data(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 documents of the tiny data, every third of which has a new label too."""
    folder = tmp_path_factory.mktemp("new") / "data"
    folder.mkdir()
    train, names = tiny.folder.train, tiny.classifier.pipeline.labels
    with gzip.open(folder / "lbl.json.gz", "wt") as file:
        for text in [*names.texts, "zeppelin harbour"]:
            file.write(json.dumps({"title": text}) + "\n")
    with gzip.open(folder / "trn.json.gz", "wt") as file:
        for row in range(60):
            labels = train.labels.indices[train.labels.indptr[row] : train.labels.indptr[row + 1]].tolist()
            extra = row % 3 == 0
            text = train.texts[row] + (" zeppelin flight" if extra else "")
            file.write(json.dumps({"title": text, "target_ind": labels + [90] * extra}) + "\n")
    return folder


def test_new_documents_with_a_new_label(tiny: Any, new_data: Path, tmp_path: Path) -> None:
    before = arrays_of(tiny.model)
    said = eclare("finetune", tiny.model, "--data", new_data, "--replay", tiny.data, "--out", tmp_path / "tuned").stderr
    assert "90 labels known, 1 added, 0 dropped" in said
    assert "model written to" in said and not (tmp_path / "tuned.train").exists()
    assert arrays_of(tiny.model) == before
    tuned = EclareClassifier.load(tmp_path / "tuned")
    assert tuned.n_labels == 91 and tuned.pipeline.labels.texts[-1] == "zeppelin harbour"
    (found,) = tuned.predict_names(["a zeppelin flight over the harbour"], k=5)
    assert "zeppelin harbour" in [name for name, _ in found]
    said = eclare("inspect", tmp_path / "tuned").output
    assert "finetuned" in said
    assert "84 documents" in eclare("evaluate", tmp_path / "tuned", "--data", tiny.data).output


def test_calls_at_fault(tiny: Any, new_data: Path, tmp_path: Path) -> None:
    words = ["finetune", tiny.model, "--data", new_data]
    assert "is the model itself" in error_of(eclare(*words, "--out", tiny.model, code=2))
    wrong = eclare(*words, "--out", tmp_path / "m", "--set", "epoch=3", code=2)
    assert "epoch" in error_of(wrong) and "epochs" in error_of(wrong)
    assert not (tmp_path / "m").exists() and not (tmp_path / "m.train").exists()
