"""A recipe of this library: eclare_worker.py DATA OUT RECIPE."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `eclare train` does: threads that wait take no processor time

import common
import scipy.sparse as sp

from eclare_py import EclareClassifier, load_dataset


def train(texts: list[str], labels: sp.csr_matrix, out: str) -> Any:
    """Features, model, saved under `out`."""
    folder = load_dataset(sys.argv[1])  # read again: the others have their texts already, this counts against us
    classifier = EclareClassifier(sys.argv[3]).fit(folder.train)
    classifier.save(f"{out}/model")
    return EclareClassifier.load(f"{out}/model")


def predict(model: Any, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    return model.predict(texts, k).to_csr(model.n_labels)


if __name__ == "__main__":
    common.run(
        train, predict, lambda out: common.megabytes(f"{out}/model"), lambda model, text: model.predict([text], 10)
    )
