"""Who of a group carries a label: regression on what is believed, and belief from the regression, in turns.

A label of a group is carried by at least one member, maybe by several: of members that carry it with probabilities s_i
when nothing is known of the group, the group says that not all are without it, and then

    P(i carries | at least one does) = s_i / (1 - prod_k (1 - s_k)).

This is the noisy-or of multi-instance learning, and taking turns is its expectation maximisation. It deviates from
EAGLE, which assigns a label to the nearest member: frequent labels have several owners in a group, and no embedding
tells a label apart that half of all documents carry; a regression that sees all groups does.
"""

from __future__ import annotations

import numpy as np

from eclare_py.train.imputation.config import ImputationConfig
from eclare_py.train.imputation.kernels import dense_products
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.types import FloatArray

_LEAST, _MOST = 1e-3, 0.97  # of a probability that the regression gives
_COUNTED = 1e-4  # beliefs below this are none


def noisy_or(pairs: MemberPairs, log_odds: FloatArray) -> FloatArray:
    """(P,) probability that a member carries its label, given that one of the group does.

    Args:
        pairs: P pairs.
        log_odds: (P,) of carrying it when nothing is known of the group.
    """
    alone = np.clip(1 / (1 + np.exp(-log_odds.astype(np.float64))), 1e-6, 1 - 1e-6)
    none = np.exp(pairs.sums(np.log1p(-alone)))
    return np.minimum(alone / np.maximum(1 - none, 1e-12)[pairs.bags], 1).astype(np.float32)


class RidgeReader:
    """Ridge regression of all labels at once on dense vectors, each pair judged without its own group's say.

    Its answer is (1, x) (X^T X + r I)^-1 X^T y, of which only the sum X^T y changes from round to round.

    Args:
        vectors: (N, d) documents.
        ridge: r.
    """

    def __init__(self, vectors: FloatArray, ridge: float) -> None:
        self.vectors = np.hstack([vectors, np.ones((len(vectors), 1), dtype=np.float32)])
        products = (self.vectors.T @ self.vectors).astype(np.float64)
        products[np.diag_indices_from(products)] += ridge
        self.readers = np.ascontiguousarray(self.vectors @ np.linalg.inv(products).astype(np.float32))

    def __call__(self, pairs: MemberPairs, beliefs: FloatArray) -> FloatArray:
        """(P,) expected belief in each pair, by those of other groups."""
        found = np.zeros(len(pairs), dtype=np.float32)
        dense_products(
            pairs.label_bags, pairs.bag_pairs, pairs.documents, beliefs, self.vectors, self.readers, _COUNTED, found
        )
        return found


def logit(probabilities: FloatArray) -> FloatArray:
    """Log-odds, of probabilities kept away from 0 and 1."""
    kept = np.clip(probabilities, _LEAST, _MOST)
    return np.log(kept / (1 - kept))


def share_out(
    pairs: MemberPairs, likeness: FloatArray, vectors: FloatArray, config: ImputationConfig
) -> FloatArray:
    """(P,) log-odds that a document carries a label, before its group is looked at.

    Args:
        pairs: P pairs.
        likeness: (P,) of document and label, see `embedding`.
        vectors: (N, d) documents.
        config: Rounds, and how much the likeness counts.
    """
    sizes = np.maximum(np.diff(pairs.bag_pairs), 1)
    apart = likeness - (pairs.sums(likeness) / sizes)[pairs.bags].astype(np.float32)
    trust = config.trust / (1 + pairs.groups_of_label / config.trust_groups)
    known = (trust * apart).astype(np.float32)
    beliefs = pairs.softmax(config.sharpness * likeness)
    reader, log_odds = RidgeReader(vectors, config.ridge), config.sharpness * apart
    for _ in range(config.classifier_rounds):
        log_odds = logit(reader(pairs, beliefs)) + known
        beliefs = noisy_or(pairs, log_odds)
    return log_odds.astype(np.float32)
