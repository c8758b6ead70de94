"""ELIAS++: what the index finds is ranked again by sparse classifiers of words and vectors (methods.md 1.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import ModelError
from eclare_py.linear.pairs import PairClassifiers
from eclare_py.rank.query import Query
from eclare_py.storage import State
from eclare_py.types import Csr, FloatArray, IntArray, Ranking, rank

_LEAST = 1e-6  # probabilities are kept this far from 0 and 1 before their logit is taken


@dataclass(frozen=True, eq=False)
class PairRanker:
    """Second scores of a shortlist, and the probability that both together give.

    ELIAS++ multiplies the index's score with exp(-max(0, 1 - v)^3) and may mix in a decision tree over both scores and
    the label's frequency. Ours is a logistic regression over the same three, so that scores stay probabilities.

    Attributes:
        classifiers: One per label, over `pair_features`.
        weights: (3,) of logit(index score), log(second score), log(1 + frequency).
        offset: Added to the weighted sum.
        depth: Labels of the index that are ranked again.
    """

    classifiers: PairClassifiers
    weights: FloatArray
    offset: float
    depth: int

    def rerank(self, ranking: Ranking, query: Query, frequencies: IntArray, k: int) -> Ranking:
        """The k best of a (B, K) ranking by their new probability."""
        logits = pair_evidence(self.classifiers, ranking, query, frequencies) @ self.weights + np.float32(self.offset)
        scores = np.where(ranking.indices >= 0, 0.5 * (1 + np.tanh(0.5 * logits)), -np.inf)
        return rank(scores, k, ranking.indices)

    def states(self) -> dict[str, State]:
        """What is saved, by part."""
        own = State({"weights": self.weights}, {"offset": self.offset, "depth": self.depth})
        return {"pairs": self.classifiers.state(), "mixture": own}

    @classmethod
    def from_states(cls, pairs: State, mixture: State, *, n_labels: int, n_features: int) -> PairRanker:
        """Load.

        Args:
            pairs: The classifiers.
            mixture: Weights, offset, depth.
            n_labels: L of the model.
            n_features: Of `pair_features`.

        Raises:
            ModelError: A part is missing, damaged or of another model.
        """
        classifiers = PairClassifiers.from_state(pairs)
        chunks = classifiers.chunks
        if chunks.n_children != n_labels or chunks.n_features != n_features:
            raise ModelError(
                f"pairs: {chunks.n_children} labels over {chunks.n_features} features, the model has {n_labels} and "
                f"{n_features}; train again"
            )
        weights, offset = mixture.arrays.get("weights"), mixture.meta.get("offset")
        depth = mixture.meta.get("depth")
        if weights is None or weights.shape != (3,) or weights.dtype != np.float32 or not isinstance(offset, float):
            raise ModelError("mixture: three weights and an offset are needed; train again")
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise ModelError(f"mixture: depth is {depth!r}, expected a whole number from 1; train again")
        return cls(classifiers, weights, offset, depth)


def pair_features(query: Query) -> Csr:
    """(B, d + V) unit vectors and TF-IDF rows side by side."""
    n, dim = query.vectors.shape
    indptr = np.arange(n + 1, dtype=np.int64) * dim
    dense = Csr((query.vectors.ravel(), np.tile(np.arange(dim), n), indptr), shape=(n, dim))
    return Csr(sp.hstack([dense, query.terms], format="csr"))


def pair_evidence(classifiers: PairClassifiers, ranking: Ranking, query: Query, frequencies: IntArray) -> FloatArray:
    """(B, K, 3) logit of the index's score, log of the second score, log(1 + frequency); zeros where empty."""
    known = ranking.indices >= 0
    chance = np.clip(np.where(known, ranking.scores, 0.5), _LEAST, 1 - _LEAST)
    counts = np.log1p(frequencies[np.maximum(ranking.indices, 0)]) * known
    second = classifiers.log_scores(pair_features(query), ranking.indices)
    return np.stack([np.log(chance / (1 - chance)), second, counts], axis=2).astype(np.float32)
