"""What a data folder holds, in numbers: the text behind `data info` and the cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.dataset import DataFolder, Dataset, load_dataset
from eclare_py.types import BoolArray

TAIL = 5  # a tail label has 1 to 5 train documents
_PERCENTILES = (10, 25, 75, 90, 99)


def describe(folder: str | Path | DataFolder) -> dict[str, Any]:
    """Statistics of a data folder as plain data.

    Args:
        folder: A path, or the folder already loaded.

    Returns:
        `name`, `path`, `propensity`, and:
        `labels`: count, train documents a label (groups, where labels are of these; mean, max, percentiles), `tail`
        (count and share with 1 to 5 train documents), `unseen` (count and share never seen in train), median text
        length, relations between labels;
        `train` and `test` (None where missing): documents, labels a document, text length, filter pairs, and groups
        where labels are of these.
    """
    data = folder if isinstance(folder, DataFolder) else load_dataset(folder)
    frequencies = data.train.label_frequencies
    tail = (frequencies > 0) & (frequencies <= TAIL)
    unseen = frequencies == 0
    return {
        "name": data.name,
        "path": str(data.path),
        "propensity": {"A": data.propensity_a, "B": data.propensity_b},
        "labels": {
            "count": data.train.n_labels,
            "documents_per_label": _summary(frequencies),
            "tail": {"count": int(tail.sum()), "share": _share(tail)},
            "unseen": {"count": int(unseen.sum()), "share": _share(unseen)},
            "median_text_length": _median_length(data.train.label_texts),
            "relations": len(data.train.label_edges),
        },
        "train": _describe_split(data.train, tail),
        "test": None if data.test is None else _describe_split(data.test, tail),
    }


def _describe_split(part: Dataset, tail: BoolArray) -> dict[str, Any]:
    counts = np.diff(part.labels.indptr)
    return _describe_groups(part) | {
        "documents": part.n_documents,
        "pairs": int(part.labels.nnz),
        "tail_pair_share": _share(tail[part.labels.indices]),
        "labels_per_document": _summary(counts),
        "documents_without_labels": int((counts == 0).sum()),
        "median_text_length": _median_length(part.texts),
        "filter_pairs": len(part.filter_pairs),
    }


def _describe_groups(part: Dataset) -> dict[str, Any]:
    """Of aggregated labels; then what counts pairs and labels of documents counts what members may carry."""
    if not isinstance(part, AggregatedDataset):
        return {}
    return {
        "groups": part.n_groups,
        "documents_per_group": _summary(np.bincount(part.groups)),
        "labels_per_group": _summary(np.diff(part.group_labels.indptr)),
    }


def _summary(values: npt.NDArray[Any]) -> dict[str, float]:
    """Mean, largest and percentiles; all 0 where there are no values."""
    if not len(values):
        values = np.zeros(1)
    points = np.percentile(values, _PERCENTILES)
    summary = {"mean": round(float(values.mean()), 4), "max": int(values.max()), "median": float(np.median(values))}
    return summary | {f"p{point}": float(value) for point, value in zip(_PERCENTILES, points, strict=True)}


def _share(mask: BoolArray) -> float:
    return round(float(mask.mean()), 6) if len(mask) else 0.0


def _median_length(texts: Sequence[str]) -> float:
    return float(np.median([len(text) for text in texts])) if texts else 0.0
