"""Which labels the discriminator of LightXML is trained on: those of the generator's best groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.model.lightxml_config import LightXmlConfig
from eclare_py.sparse import mask_among, row_ids
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, rank


@dataclass(frozen=True)
class Groups:
    """A partition of the labels.

    Attributes:
        members: (G, m) labels of each group, ascending, -1 where a group is smaller.
        of_label: (L,) group of each label.
    """

    members: IntArray
    of_label: IntArray

    @classmethod
    def of(cls, of_label: IntArray) -> Groups:
        """From the group of each label; no group is empty."""
        sizes = np.bincount(of_label)
        order = np.argsort(of_label, kind="stable")
        members = np.full((len(sizes), sizes.max()), -1, dtype=np.int64)
        members[np.arange(members.shape[1]) < sizes[:, None]] = order
        return cls(members, of_label)

    def relevant(self, labels: Csr) -> BoolArray:
        """(B, G): which groups hold a label of each row of (B, L)."""
        found = np.zeros((labels.shape[0], len(self.members)), dtype=np.bool_)
        found[row_ids(labels), self.of_label[labels.indices]] = True
        return found


@dataclass(frozen=True)
class Candidates:
    """What B documents are asked about.

    Attributes:
        at_hand: (u,) distinct labels, ascending.
        columns: (B, K) candidates by their place in `at_hand`.
        positives: (B, K) which of these are relevant.
        counted: (B, K) which count in the loss: no padding, no filter pairs.
    """

    at_hand: IntArray
    columns: IntArray
    positives: BoolArray
    counted: BoolArray


def choose(
    groups: Groups,
    settings: LightXmlConfig,
    probabilities: FloatArray,
    positives: Csr,
    ignored: Csr,
    random: np.random.Generator,
) -> Candidates:
    """The labels that each document is asked about; as many whether they are dynamic or uniform negatives.

    Args:
        groups: The label groups.
        settings: How many groups, which negatives.
        probabilities: (B, G) of the generator.
        positives: (B, L) relevant labels.
        ignored: (B, L) filter pairs.
        random: Of uniform negatives, which may repeat.
    """
    if settings.negatives == "uniform":
        width = min(settings.top_groups, len(groups.members)) * groups.members.shape[1]
        slots = random.integers(0, len(groups.of_label), size=(len(probabilities), width))
        return settle(slots, positives, ignored)
    chosen = best_groups(probabilities, groups.relevant(positives), settings.top_groups)
    return settle(labels_of(groups, chosen), positives, ignored)


def best_groups(probabilities: FloatArray, own: BoolArray, k: int) -> IntArray:
    """(B, k) groups by the generator's probability (B, G), a document's own groups (B, G) before all others.

    LightXML adds the indicator of the own groups to the probability before the top k are taken.
    """
    return rank(probabilities + own, min(k, own.shape[1])).indices


def labels_of(groups: Groups, chosen: IntArray) -> IntArray:
    """(B, k) groups -> (B, k m) their labels, -1 in empty places."""
    return groups.members[chosen].reshape(len(chosen), -1)


def settle(slots: IntArray, positives: Csr, ignored: Csr) -> Candidates:
    """Make sure that every positive is asked about.

    A positive that is missing takes the first place that holds no positive (methods.md 2.5), the least label first;
    only where a row has more positives than places are some left out.

    Args:
        slots: (B, K) labels, -1 in empty places.
        positives: (B, L) relevant labels.
        ignored: (B, L) filter pairs, none of them positive: they do not count.
    """
    known = slots >= 0
    at_hand = np.unique(np.concatenate([slots[known], positives.indices])).astype(np.int64)
    columns = np.where(known, np.searchsorted(at_hand, slots), 0)
    relevant, hidden = mask_among(positives, at_hand), mask_among(ignored, at_hand)
    found = np.take_along_axis(relevant, columns, axis=1) & known
    counted = known & ~np.take_along_axis(hidden, columns, axis=1)
    present = np.zeros_like(relevant)
    rows = np.broadcast_to(np.arange(len(slots))[:, None], slots.shape)
    present[rows[known], columns[known]] = True
    _put_missing(relevant & ~present, columns, found, counted)
    return Candidates(at_hand, columns, found, counted)


def _put_missing(missing: BoolArray, columns: IntArray, found: BoolArray, counted: BoolArray) -> None:
    """Write missing labels (B, u) over the first places that hold no positive."""
    rows, labels = np.nonzero(missing)
    if not len(rows):
        return
    turn = np.arange(len(rows)) - np.searchsorted(rows, rows)
    lacking, place_of = np.unique(rows, return_inverse=True)
    free = np.argsort(found[lacking], axis=1, kind="stable")  # places without a positive first, in their order
    fits = turn < columns.shape[1] - found[lacking].sum(axis=1)[place_of]
    rows, labels, places = rows[fits], labels[fits], free[place_of[fits], turn[fits]]
    columns[rows, places], found[rows, places], counted[rows, places] = labels, True, True
