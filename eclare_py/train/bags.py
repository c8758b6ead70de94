"""Groups of documents in batches, for training on labels that are known of groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from eclare_py.data.dataset import Dataset
from eclare_py.data.imputed import ImputedDataset
from eclare_py.errors import TrainingError
from eclare_py.sparse import among
from eclare_py.types import Csr, FloatArray, IntArray, as_csr

_LIKELY = 0.5  # least sum of probabilities over the members of a group


@dataclass(frozen=True)
class BatchBags:
    """The groups of a batch.

    Attributes:
        groups: (B,) number of each document's group in the batch, 0..M-1.
        mask: (B, l) probability that a document carries a label of its group; 1 for labels that the group has not.
        positives: (M, l) true for the labels of each group that some member here is likely to carry: members that are
            held out may have taken theirs along.
        ignored: (M, l) true for its other labels and for filter pairs of a member.
    """

    groups: IntArray
    mask: FloatArray
    positives: np.ndarray
    ignored: np.ndarray


@dataclass(frozen=True)
class Bags:
    """Groups of documents and their labels.

    Attributes:
        groups: (D,) group of each document; batches take groups whole.
        beliefs: (D, L) probability of each label that a document's group has and that it may carry.
    """

    groups: IntArray
    beliefs: Csr

    @classmethod
    def of(cls, dataset: Dataset) -> Bags:
        """The groups of a data set with imputed labels, numbered anew.

        Raises:
            TrainingError: Its labels are not of groups.
        """
        if not isinstance(dataset, ImputedDataset):
            raise TrainingError("training.groups=true is for data whose labels are of groups")
        return cls(np.unique(dataset.groups, return_inverse=True)[1].astype(np.int64), dataset.beliefs)

    def followed_by(self, labels: Csr) -> Bags:
        """More documents, each a group of its own with the labels (X, L)."""
        first = int(self.groups.max(initial=-1)) + 1
        groups = np.concatenate([self.groups, np.arange(first, first + labels.shape[0])])
        return Bags(groups, as_csr(sp.vstack([self.beliefs, labels])))

    def batch(self, documents: IntArray, labels: IntArray, ignored: np.ndarray) -> BatchBags:
        """Groups of a batch.

        Args:
            documents: (B,) rows.
            labels: (l,) ascending ids of the labels at hand.
            ignored: (B, l) true for filter pairs.
        """
        numbers, groups = np.unique(self.groups[documents], return_inverse=True)
        found = self.beliefs[documents]
        rows, columns, at_hand = among(found, labels)
        total = np.zeros((len(numbers), len(labels)), dtype=np.float32)
        np.add.at(total, (groups[rows], columns), found.data[at_hand])
        positives, hidden = total >= _LIKELY, total > 0
        np.logical_or.at(hidden, groups, ignored)
        mask = np.where(total[groups] > 0, np.float32(0), np.float32(1))
        mask[rows, columns] = found.data[at_hand]
        return BatchBags(groups.astype(np.int64), mask, positives, hidden & ~positives)
