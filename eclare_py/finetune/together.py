"""Old and new documents over one set of labels: those of the model that stay, then the new ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.dataset import Dataset
from eclare_py.errors import UsageError
from eclare_py.labels import match_labels
from eclare_py.labels.match import renumbered
from eclare_py.rank.pipeline import LabelTable
from eclare_py.types import IntArray


@dataclass(frozen=True)
class Together:
    """What is trained on.

    Attributes:
        new: The new documents, over the L' labels.
        old: The documents that the model was trained on, as far as they are at hand, or None.
        model_rows: (L',) the row of each label in the model, -1 of the new ones, which are the last.
        n_dropped: Labels of the model that are not among these.
    """

    new: Dataset
    old: Dataset | None
    model_rows: IntArray
    n_dropped: int

    @property
    def n_added(self) -> int:
        """Labels that the model does not have."""
        return int((self.model_rows < 0).sum())


def bring_together(model: LabelTable, new: Dataset, old: Dataset | None) -> Together:
    """Match the labels of the data with those of the model.

    All labels of the new documents are there. Those of the model that are not among them stay only where old documents
    are given: without any they would be forgotten. What a label says is what the new documents say it does.

    Args:
        model: Labels of the model.
        new: New documents, over their own labels.
        old: Documents that the model was trained on, over theirs.

    Raises:
        DataError: The data share no label with the model, or their labels cannot be told apart.
        UsageError: The labels are those of groups of documents.
    """
    for data in (new, old):
        if isinstance(data, AggregatedDataset):
            raise UsageError("fine-tuning needs labels of documents; these are of groups: train a model with them")
    found = match_labels(model, new.label_texts, new.label_ids)
    known = np.unique(found[found >= 0]) if old is None else np.arange(len(model.texts))
    place = np.full(len(model.texts), -1, dtype=np.int64)  # row of the model -> row here
    place[known] = np.arange(len(known))
    added = np.flatnonzero(found < 0)
    rows = _places(found, place)
    rows[added] = len(known) + np.arange(len(added))
    names = _names(model, known, new, rows, added)
    if old is not None:
        old = renumbered(old, _places(match_labels(model, old.label_texts, old.label_ids), place), names)
    return Together(
        renumbered(new, rows, names).with_ids("new document"),
        None if old is None else old.with_ids("train document"),
        np.concatenate([known, np.full(len(added), -1, dtype=np.int64)]),
        len(model.texts) - len(known),
    )


def _places(found: IntArray, place: IntArray) -> IntArray:
    """Rows here of labels by their rows in the model, -1 where there is none."""
    return np.where(found >= 0, place[found], -1)


def _names(model: LabelTable, known: IntArray, new: Dataset, rows: IntArray, added: IntArray) -> LabelTable:
    """Texts and ids of all labels."""
    texts = [model.texts[row] for row in known.tolist()] + [""] * len(added)
    for row, text in zip(rows.tolist(), new.label_texts, strict=True):
        texts[row] = text
    if model.ids is None:
        return LabelTable(texts)
    ids = [model.ids[row] for row in known.tolist()]
    ids += [(new.label_ids or new.label_texts)[row] for row in added.tolist()]
    if len(set(ids)) < len(ids):
        twice = next(name for row, name in enumerate(ids) if ids.index(name) != row)
        raise UsageError(f"a new label would have the id {twice!r}, which another label has: give the labels ids (uid)")
    return LabelTable(texts, ids)
