"""Models of the recipe judge which member carries a label (EAGLE, stage D).

A model that has seen a document with its imputed labels would give them back. So groups are parted in two halves, and
each half is judged by a model of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.dataset import Dataset
from eclare_py.sparse import entries_at
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.train.imputation.posterior import logit
from eclare_py.types import Csr, FloatArray, IntArray, Ranking

HALVES = 2
_RANKED = 100  # labels asked for of a document; one further down counts as hardly likely


class Ranker(Protocol):
    """What scores documents."""

    def rank(self, texts: Sequence[str], k: int, *, hidden: IntArray | None = None) -> Ranking:
        """The k best labels of texts with probabilities."""
        ...


Trainer: TypeAlias = Callable[[Dataset], Ranker]


def model_log_odds(
    data: AggregatedDataset, pairs: MemberPairs, labels: Csr, train: Trainer, *, seed: int
) -> FloatArray:
    """(P,) log-odds of pairs by models that have not seen their group.

    Args:
        data: The groups.
        pairs: P pairs.
        labels: (N, L) imputed labels to train on.
        train: Trains a model.
        seed: Of the halves.
    """
    dataset = data.with_labels(labels)
    half_of = np.random.default_rng(seed).permutation(data.n_groups)[data.groups] % HALVES
    scores = np.zeros(len(pairs), dtype=np.float32)
    for half in range(HALVES):
        asked = np.flatnonzero(half_of == half)
        if not len(asked) or len(asked) == data.n_documents:
            continue
        model, part = train(dataset.subset(half_of != half)), dataset.subset(asked)
        ranking = model.rank(part.texts, min(_RANKED, data.n_labels), hidden=part.filter_pairs)
        chosen = half_of[pairs.documents] == half
        places = np.searchsorted(asked, pairs.documents[chosen])
        scores[chosen] = entries_at(ranking.to_csr(data.n_labels), places, pairs.labels[chosen])
    return logit(scores)
