"""A recipe of this library: eclare_worker.py DATA OUT RECIPE."""

from __future__ import annotations

import os
import sys
from functools import partial

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `eclare train` does: threads that wait take no processor time

import common
import scipy.sparse as sp
import torch  # noqa: F401  # as the others import what they train with, before the clock starts

from eclare_py import EclareClassifier, load_dataset
from eclare_py.data import DataFolder


def train(folder: DataFolder, texts: list[str], labels: sp.csr_matrix, out: str) -> EclareClassifier:
    """Features, model, saved under `out`; `folder` holds label texts and filter pairs too, which others do not take."""
    classifier = EclareClassifier(sys.argv[3]).fit(folder.train)
    classifier.save(f"{out}/model")
    return classifier


def predict(model: EclareClassifier, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    return model.predict(texts, k).to_csr(model.n_labels)


if __name__ == "__main__":
    common.run(
        partial(train, load_dataset(sys.argv[1])),
        predict,
        lambda out: common.megabytes(f"{out}/model"),
        lambda model, text: model.predict([text], 10),
    )
