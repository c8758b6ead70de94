"""A recipe of this library: eclare_worker.py DATA OUT RECIPE."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `eclare train` does: threads that wait take no processor time

import common
import scipy.sparse as sp
import torch  # noqa: F401  # as the others import what they train with, before the clock starts

from eclare_py import EclareClassifier, load_dataset
from eclare_py.data import DataFolder


def trainer(folder: DataFolder) -> Any:
    """Trains on the texts in memory, with the label texts and filter pairs that the others do not take."""

    def train(texts: list[str], labels: sp.csr_matrix, out: str) -> EclareClassifier:
        """Features, model, saved under `out`."""
        classifier = EclareClassifier(sys.argv[3]).fit(folder.train)
        classifier.save(f"{out}/model")
        return classifier

    return train


def predict(model: EclareClassifier, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    return model.predict(texts, k).to_csr(model.n_labels)


if __name__ == "__main__":
    common.run(
        trainer(load_dataset(sys.argv[1])),
        predict,
        lambda out: common.megabytes(f"{out}/model"),
        lambda model, text: model.predict([text], 10),
    )
