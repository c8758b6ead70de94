"""One sparse linear classifier per label, for pairs that another model picked: no tree, no search.

ELIAS++ ranks what its index finds once more this way (methods.md 1.6): PECOS' linear model with every label a node of
its own, trained on the documents that have a label and on those that the index led to it (matcher-aware negatives).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.errors import ModelError, UsageError
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.config import LinearConfig
from eclare_py.linear.training import fit_level
from eclare_py.linear.walks import multiply_chunks
from eclare_py.sparse import pair_matrix
from eclare_py.storage import State
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True, eq=False)
class PairClassifiers:
    """Weights (V, L), one chunk per label.

    Attributes:
        chunks: The weights.
        power: p of the score exp(-max(0, 1 - v)^p).
    """

    chunks: Chunks
    power: int

    def log_scores(self, documents: Csr, labels: IntArray) -> FloatArray:
        """(B, V) features, (B, K) labels (below 0: none) -> (B, K) -max(0, 1 - <x, w_l> - b_l)^p; 0 where none.

        Raises:
            UsageError: The documents have other features than the weights.
        """
        if documents.shape[1] != self.chunks.n_features:  # compiled look-ups do not check bounds
            raise UsageError(f"documents of {documents.shape[1]} features for weights of {self.chunks.n_features}")
        rows, columns = np.nonzero(labels >= 0)
        margins = multiply_chunks(documents, self.chunks, rows, labels[rows, columns])[1]
        scores = np.zeros(labels.shape, dtype=np.float32)
        scores[rows, columns] = -(np.maximum(np.float32(0), 1 - margins) ** self.power)
        return scores

    def state(self) -> State:
        """What is saved."""
        return State(self.chunks.state("labels"), {"features": self.chunks.n_features, "power": self.power})

    @classmethod
    def from_state(cls, state: State) -> PairClassifiers:
        """Load.

        Raises:
            ModelError: A part is missing or damaged, or a chunk is not one label.
        """
        features, power = (state.meta.get(name) for name in ("features", "power"))
        if not isinstance(features, int) or not isinstance(power, int) or features < 1 or power < 1:
            raise ModelError(f"pair classifiers: {features!r} features, power {power!r}; train again")
        chunks = Chunks.from_state(state, "labels", features)
        if not np.array_equal(chunks.child_ptr, np.arange(chunks.n_children + 1)):
            raise ModelError("pair classifiers: every chunk must be one label; train again")
        return cls(chunks, power)


def fit_pairs(
    documents: Csr,
    labels: Csr,
    picked: Csr,
    config: LinearConfig,
    *,
    filter_pairs: IntArray | None = None,
    seed: int = 0,
) -> PairClassifiers:
    """Train every label on its documents and on those it was picked for.

    Args:
        documents: (N, V) features.
        labels: (N, L) label matrix.
        picked: (N, L) pairs that the other model ranks first.
        config: Cost, threshold and stop criteria; the loss is the squared hinge.
        filter_pairs: (F, 2) pairs of document and label that are neither right nor wrong.
        seed: Order of the documents in the descent.

    Raises:
        UsageError: Shapes differ, or the loss is another.
    """
    if picked.shape != labels.shape or documents.shape[0] != labels.shape[0]:
        raise UsageError(f"documents {documents.shape}, labels {labels.shape} and picked {picked.shape} do not fit")
    if config.loss != "squared-hinge":
        raise UsageError(f"loss={config.loss!r}: classifiers of pairs are trained with squared-hinge")
    own = as_csr(labels != 0)
    chunks = fit_level(
        as_csr(documents), as_csr(own + as_csr(picked != 0)), own,
        np.arange(labels.shape[1] + 1, dtype=np.int64), config,
        ignored=pair_matrix(filter_pairs, labels.shape), seed=seed,
    )  # fmt: skip
    return PairClassifiers(chunks, config.power)
