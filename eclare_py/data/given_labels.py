"""Texts and labels as users hand them over, checked before anything is made of them: lists, arrays, tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.data.problems import show
from eclare_py.errors import UsageError
from eclare_py.types import Csr


def check_one_column(texts: Any) -> None:
    """Refuse texts that are no sequence of texts.

    Raises:
        UsageError: One string, or a table, which is not looked through for the column that was meant.
    """
    if isinstance(texts, str):
        raise UsageError("the texts are one string: give a list of texts")
    if hasattr(texts, "columns"):
        first = str(next(iter(texts.columns), "text"))
        raise UsageError(f"the texts are a table: give the column that holds them, e.g. table[{show(first)}]")
    if getattr(texts, "ndim", 1) != 1:
        raise UsageError(f"the texts have the shape {tuple(texts.shape)}: give one column of texts")
    if isinstance(texts, Mapping) or not isinstance(texts, Collection):
        raise UsageError(f"the texts are a {type(texts).__name__}: give a list of texts")


def check_label_lists(label_lists: Any) -> None:
    """Refuse labels that are not a list of labels for each document.

    Raises:
        UsageError: Names the first document, from 0, whose labels are no list.
    """
    if isinstance(label_lists, (str, Mapping)) or not isinstance(label_lists, Collection):
        raise UsageError(f"the labels are {show(label_lists)}: give a list with a list of labels for each text")
    for row, labels in enumerate(label_lists):
        if isinstance(labels, (list, tuple, set)):
            continue
        if isinstance(labels, (str, bytes, Mapping)) or not isinstance(labels, Collection) or not _flat(labels):
            raise UsageError(f"document {row} has the labels {show(labels)}: labels must be lists, {_mend(labels)}")


def label_matrix(labels: Any) -> Csr:
    """Labels of N documents in L columns, dense, sparse or a DataFrame, as CSR float32.

    Raises:
        UsageError: They are no numbers.
    """
    try:
        return sp.csr_array(labels if sp.issparse(labels) else np.asarray(labels, dtype=np.float32), dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the label matrix holds no numbers ({error}): give 1 where a label is relevant, else 0, or a list of "
            "label names for each text"
        ) from error


def column_names(
    labels: Any, label_texts: Sequence[str] | Mapping[str, str] | None
) -> Sequence[str] | Mapping[str, str]:
    """What the columns of a label matrix are called: by `label_texts`, else by the names of a DataFrame, else 0, 1, ...

    A mapping name -> text is put in the order of a DataFrame's columns; texts in their order belong to its names.

    Raises:
        UsageError: A DataFrame's columns have two of one name or names that are neither texts nor whole numbers, or
            `label_texts` does not fit them.
    """
    names = list(getattr(labels, "columns", range(labels.shape[1])))
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, bool) for name in names):
        return [str(name) for name in names] if label_texts is None else label_texts
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise UsageError(f"a column of labels is called {show(wrong[0])}: name columns by texts, which are the labels")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two columns of labels are called {show(twice)}: rename one")
    if label_texts is None:
        return {name: name for name in names}
    if not isinstance(label_texts, Mapping):
        texts = list(label_texts)
        if len(texts) != len(names):
            raise UsageError(f"{len(texts)} label texts for {len(names)} columns of labels: give one for each")
        return dict(zip(names, texts, strict=True))
    absent = [name for name in names if name not in label_texts]
    more = [name for name in label_texts if name not in names]
    if absent or more:
        what = f"lacks the column {show(absent[0])}" if absent else f"has {show(more[0])}, which is no column"
        raise UsageError(f"label_texts {what} of the labels: give a text for each column")
    return {name: label_texts[name] for name in names}


def _flat(labels: Collection[Any]) -> bool:
    return getattr(labels, "ndim", 1) == 1


def _mend(labels: Any) -> str:
    if labels is None or labels != labels:
        return "[] for a document without any"
    single = int(labels) if isinstance(labels, np.integer) else labels
    if isinstance(single, (str, int)):
        return f"a single one is written [{show(single)}]"
    return "such as ['name', 'other']"
