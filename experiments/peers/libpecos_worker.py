"""libpecos' XR-Linear with PIFA label embeddings and its defaults, beam 10."""

from __future__ import annotations

from typing import Any

import common
import scipy.sparse as sp
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel


def train(texts: list[str], labels: sp.csr_matrix, out: str) -> Any:
    """Features, model, saved under `out`."""
    vectorizer = common.vectorizer()
    rows = vectorizer.fit_transform(texts)
    means = LabelEmbeddingFactory.create(labels, rows, method="pifa")
    clusters = Indexer.gen(means, indexer_type="hierarchicalkmeans")
    model = XLinearModel.train(rows, labels, C=clusters)
    model.save(f"{out}/model")
    return vectorizer, model


def predict(model: Any, texts: list[str], k: int) -> sp.csr_matrix:
    """Scores of the k best labels of each text."""
    vectorizer, ranker = model
    return ranker.predict(vectorizer.transform(texts), beam_size=10, only_topk=k)


if __name__ == "__main__":
    common.run(train, predict, lambda out: common.megabytes(f"{out}/model"))
