"""omikuji with its defaults (Parabel, 3 trees)."""

from __future__ import annotations

from typing import Any

import common
import numpy as np
import omikuji
import scipy.sparse as sp


def train(texts: list[str], labels: sp.csr_matrix, out: str) -> Any:
    """Features, model, saved under `out`."""
    vectorizer = common.vectorizer()
    rows = sp.csr_matrix(vectorizer.fit_transform(texts))
    with open(f"{out}/train.txt", "w") as file:  # the one format it trains from
        file.write(f"{rows.shape[0]} {rows.shape[1]} {labels.shape[1]}\n")
        for i in range(rows.shape[0]):
            own = ",".join(map(str, labels.indices[labels.indptr[i] : labels.indptr[i + 1]]))
            span = slice(rows.indptr[i], rows.indptr[i + 1])
            pairs = " ".join(f"{c}:{v:.6g}" for c, v in zip(rows.indices[span], rows.data[span], strict=True))
            file.write(f"{own} {pairs}\n")
    model = omikuji.Model.train_on_data(f"{out}/train.txt", omikuji.Model.default_hyper_param())
    model.save(f"{out}/model")
    return vectorizer, model, labels.shape[1]


def predict(model: Any, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    vectorizer, ranker, n_labels = model
    rows = sp.csr_matrix(vectorizer.transform(texts))
    columns, scores, pointers = [], [], [0]
    for i in range(rows.shape[0]):
        span = slice(rows.indptr[i], rows.indptr[i + 1])
        found = ranker.predict(list(zip(rows.indices[span].tolist(), rows.data[span].tolist(), strict=True)), top_k=k)
        columns += [label for label, _ in found]
        scores += [score for _, score in found]
        pointers.append(len(columns))
    return sp.csr_matrix((np.array(scores, np.float32), columns, pointers), shape=(rows.shape[0], n_labels))


if __name__ == "__main__":
    common.run(train, predict, lambda out: common.megabytes(f"{out}/model"))
