"""napkinXC's probabilistic label tree with its defaults."""

from __future__ import annotations

from typing import Any

import common
import numpy as np
import scipy.sparse as sp
from napkinxc.models import PLT


def train(texts: list[str], labels: sp.csr_matrix, out: str) -> Any:
    """Features, model, saved under `out`."""
    vectorizer = common.vectorizer()
    rows = sp.csr_matrix(vectorizer.fit_transform(texts))
    chosen = [labels.indices[labels.indptr[i] : labels.indptr[i + 1]].tolist() for i in range(labels.shape[0])]
    model = PLT(f"{out}/model")
    model.fit(rows, chosen)
    model.load()
    return vectorizer, model, labels.shape[1]


def predict(model: Any, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    vectorizer, ranker, n_labels = model
    found = ranker.predict_proba(sp.csr_matrix(vectorizer.transform(texts)), top_k=k)
    pointers = np.cumsum([0] + [len(row) for row in found])
    columns = [label for row in found for label, _ in row]
    scores = np.array([score for row in found for _, score in row], np.float32)
    return sp.csr_matrix((scores, columns, pointers), shape=(len(found), n_labels))


if __name__ == "__main__":
    common.run(train, predict, lambda out: common.megabytes(f"{out}/model"))
