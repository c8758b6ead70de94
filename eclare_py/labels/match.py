"""A data set in the label space of a model: the same labels, whatever their order and their number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from eclare_py.data.dataset import DataFolder, Dataset
from eclare_py.data.label_edges import sorted_edges
from eclare_py.errors import DataError
from eclare_py.metrics.fingerprint import documents_fingerprint
from eclare_py.rank.pipeline import LabelTable
from eclare_py.sparse import row_ids
from eclare_py.types import IntArray, as_csr


def match_labels(model: LabelTable, texts: list[str], ids: list[str] | None) -> IntArray:
    """The model's row of each label of a data set, -1 of those it does not have.

    Labels are the same where their ids are, or where one side has no ids, where their texts are, letter by letter.
    Lists that are equal as they stand are matched row by row, so that texts may then repeat.

    Args:
        model: Labels of the model.
        texts: L label texts of the data.
        ids: Their ids, if they have such.

    Raises:
        DataError: A text that should tell labels apart belongs to two of them, or no label is known to the model.
    """
    by_id = model.ids is not None and ids is not None
    ours, theirs = (model.ids, ids) if by_id else (model.texts, texts)
    assert ours is not None and theirs is not None
    if ours == theirs:
        return np.arange(len(ours), dtype=np.int64)
    rows = _rows(ours, "the model", by_id)
    _rows(theirs, "the data", by_id)
    found = np.array([rows.get(name, -1) for name in theirs], dtype=np.int64)
    if (found < 0).all():
        kind = "ids" if by_id else "texts"
        raise DataError(f"none of the {len(theirs)} {kind} of the data is a label of the model, {theirs[0]!r} for one")
    return found


def into_label_space(data: Dataset, model: LabelTable, *, drop_unknown: bool = False) -> Dataset:
    """The data set over the labels of the model; those that the data do not have are relevant to no document.

    Args:
        data: Documents over their own labels.
        model: Labels of the model.
        drop_unknown: Leave out pairs with a label that the model does not have. Recall is then that of the others.

    Raises:
        DataError: A pair has a label that the model does not have, or labels cannot be told apart.
    """
    found = match_labels(model, data.label_texts, data.label_ids)
    if len(found) == len(model.texts) and np.array_equal(found, np.arange(len(found))):
        return data
    unknown = found[data.labels.indices] < 0
    if unknown.any() and not drop_unknown:
        labels = np.unique(data.labels.indices[unknown])
        names = data.label_ids or data.label_texts
        raise DataError(
            f"{len(labels)} labels of the data are not in the model, {names[labels[0]]!r} for one, with "
            f"{int(unknown.sum())} pairs: add them (eclare labels add), or leave their pairs out (--drop-unknown)"
        )
    return renumbered(data, found, model)


def renumbered(data: Dataset, found: IntArray, names: LabelTable) -> Dataset:
    """A data set over other labels; what belongs to labels that are not among these goes.

    Args:
        data: The data set.
        found: (L,) the new row of each of its labels, or -1.
        names: The L' new labels.
    """
    rows = row_ids(data.labels)
    columns = found[data.labels.indices]
    kept = columns >= 0
    entries = (data.labels.data[kept], (rows[kept], columns[kept]))
    pairs = np.stack([data.filter_pairs[:, 0], found[data.filter_pairs[:, 1]]], axis=1)
    pairs = pairs[pairs[:, 1] >= 0]
    edges = np.concatenate([found[data.label_edges[:, :2]], data.label_edges[:, 2:]], axis=1)
    return replace(
        data,
        labels=as_csr(sp.coo_array(entries, shape=(data.n_documents, len(names.texts)))),
        label_texts=list(names.texts),
        label_ids=None if names.ids is None else list(names.ids),
        filter_pairs=pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))],
        label_edges=sorted_edges(edges[(edges >= 0).all(axis=1)]),
    )


def folder_into_label_space(folder: DataFolder, model: LabelTable, *, drop_unknown: bool = False) -> DataFolder:
    """Both splits over the labels of the model; of the train split pairs with other labels are left out anyway.

    Raises:
        DataError: As `into_label_space`.
    """
    test = folder.test
    return replace(
        folder,
        train=into_label_space(folder.train, model, drop_unknown=True),
        test=None if test is None else into_label_space(test, model, drop_unknown=drop_unknown),
    )


def names_in_data(data: Dataset, model: LabelTable) -> tuple[list[str], str]:
    """What data call the labels of a model, and the fingerprint of the documents as far as it knows their labels.

    Two models whose labels are in another order, or of which one has no ids, name them the same on the same data.

    Args:
        data: Documents over their own labels.
        model: Labels of the model.

    Returns:
        L names: ids of the data or its texts, and the model's own of labels that the data do not have; and the
        fingerprint by `metrics.fingerprint`, of all filter pairs: one of an unknown label takes nothing from a ranking.

    Raises:
        DataError: As `match_labels`.
    """
    found = match_labels(model, data.label_texts, data.label_ids)
    own = data.label_ids or data.label_texts
    names = [model.name(row) for row in range(len(model.texts))]
    for place, row in enumerate(found.tolist()):
        if row >= 0:
            names[row] = own[place]
    known = data.labels.copy()
    known.data[found[known.indices] < 0] = 0
    known.eliminate_zeros()
    return names, documents_fingerprint(known, data.filter_pairs, own)


def _rows(names: list[str], whose: str, by_id: bool) -> dict[str, int]:
    rows = {name: row for row, name in enumerate(names)}
    if len(rows) < len(names):
        twice = next(name for row, name in enumerate(names) if rows[name] != row)
        mend = "make ids distinct" if by_id else "give the labels ids (uid) on both sides"
        raise DataError(f"{twice!r} names two labels of {whose}, so it does not tell which is meant: {mend}")
    return rows
