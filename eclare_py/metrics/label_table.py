"""One row a label: how often it was seen and found, what it is taken for, and its neighbours in the label graph."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.metrics.coverage import LabelCounts, count_labels
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.rare import percent
from eclare_py.metrics.trial import Trial
from eclare_py.storage import atomic_file
from eclare_py.types import Csr, Ranking, as_csr, check_csr

SUFFIXES = (".csv", ".parquet")
LISTED = 5  # confusions and neighbours shown of a label


@dataclass(frozen=True)
class LabelTable:
    """Columns of L values, by name, in the order of a file.

    Attributes:
        columns: label (row), id, text, train_documents, test_positives, predicted@5, hits@5, predicted@10, hits@10;
            R@10 and F1@5 in percent, None for a label without test positives; confused_with and confused_count: the
            texts of the labels that were wrongly in the top 5 of documents that this label is relevant for and not in
            the top 5 of, and in how many, most often first, ties by label; neighbours: texts, by falling weight.
    """

    columns: dict[str, list[Any]]

    def save(self, path: str | Path) -> None:
        """Write as .csv or .parquet, atomically; in CSV lists are JSON and absent values empty.

        Raises:
            UsageError: Another suffix, or parquet without pyarrow.
        """
        if check_table_path(path) == ".csv":
            with atomic_file(path) as handle:
                writer = csv.writer(handle, lineterminator="\n")
                writer.writerow(self.columns)
                writer.writerows([_cell(value) for value in row] for row in zip(*self.columns.values(), strict=True))
            return
        arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
        with atomic_file(path, "wb") as handle:
            parquet.write_table(arrow.table(self.columns, schema=_schema(arrow, self.columns)), handle)


def label_table(
    trial: Trial,
    texts: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    graph: Csr | None = None,
    listed: int = LISTED,
) -> LabelTable:
    """Make the table of all labels of a trial.

    Args:
        trial: Of `open_trial`.
        texts: L label texts.
        ids: L label ids; the text takes their place where there are none.
        graph: (L, L) label graph, a row the neighbours of a label; without it the column is left empty.
        listed: Confusions and neighbours listed of a label.

    Raises:
        ValueError: Texts, ids or graph are not of L labels.
    """
    for name, values in (("texts", texts), ("ids", ids)):
        if values is not None and len(values) != trial.n_labels:
            raise ValueError(f"{name} has {len(values)} entries, there are {trial.n_labels} labels")
    at5, at10 = count_labels(trial.judged, 5), count_labels(trial.judged, 10)
    confused = Ranking.from_csr(confusions(trial.judged, 5), listed)
    near = Ranking.empty(trial.n_labels, 0) if graph is None else _neighbours(graph, trial.n_labels, listed)
    columns: dict[str, list[Any]] = {
        "label": list(range(trial.n_labels)),
        "id": list(texts if ids is None else ids),
        "text": list(texts),
        "train_documents": trial.frequencies.tolist(),
        "test_positives": at5.relevant.tolist(),
    }
    for k, counts in ((5, at5), (10, at10)):
        columns |= {f"predicted@{k}": counts.predicted.tolist(), f"hits@{k}": counts.found.tolist()}
    times = [[int(score) for score in row if np.isfinite(score)] for row in confused.scores.tolist()]
    columns |= {"R@10": _recall(at10), "F1@5": _f1(at5), "confused_with": _texts(confused, texts)}
    return LabelTable({**columns, "confused_count": times, "neighbours": _texts(near, texts)})


def confusions(judged: Judged, k: int) -> Csr:
    """(L, L) how many documents that label i is relevant for have not i but, wrongly, j in their top k."""
    shape, slots = judged.labels.shape, judged.ranking.indices[:, :k]
    rows, ranks = np.nonzero(slots >= 0)
    within = judged.hits.ranks < k
    predicted = as_csr(sp.coo_array((np.ones(len(rows)), (rows, slots[rows, ranks])), shape=shape))
    found = as_csr(
        sp.coo_array((np.ones(int(within.sum())), (judged.hits.rows[within], judged.hits.labels[within])), shape=shape)
    )
    truth = judged.labels
    missed = Csr((np.ones(truth.nnz, dtype=np.float32), truth.indices, truth.indptr), shape=shape) - found
    wrong = predicted - found
    missed.eliminate_zeros()
    wrong.eliminate_zeros()
    return as_csr(missed.T.tocsr() @ wrong)


def check_table_path(path: str | Path) -> str:
    """The suffix of a table's file, one of `SUFFIXES`.

    Raises:
        UsageError: Another suffix, or parquet without pyarrow.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: a table is written as {' or '.join(SUFFIXES)}")
    if suffix == ".parquet":
        _arrow("pyarrow.parquet")
    return suffix


def _neighbours(graph: Csr, n_labels: int, listed: int) -> Ranking:
    edges = check_csr(graph, name="label graph", shape=(n_labels, n_labels)).tocoo()
    others = edges.row != edges.col
    places = edges.row[others], edges.col[others]
    return Ranking.from_csr(as_csr(sp.coo_array((edges.data[others], places), shape=graph.shape)), listed)


def _texts(ranking: Ranking, texts: Sequence[str]) -> list[list[str]]:
    return [[texts[label] for label in row if label >= 0] for row in ranking.indices.tolist()]


def _recall(counts: LabelCounts) -> list[float | None]:
    pairs = zip(counts.found.tolist(), counts.relevant.tolist(), strict=True)
    return [percent(found / relevant) if relevant else None for found, relevant in pairs]


def _f1(counts: LabelCounts) -> list[float | None]:
    parts = zip(counts.found.tolist(), counts.predicted.tolist(), counts.relevant.tolist(), strict=True)
    return [percent(2 * found / (predicted + relevant)) if relevant else None for found, predicted, relevant in parts]


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _schema(arrow: Any, names: Iterable[str]) -> Any:
    """Types of the columns: a column without values would not show its own."""
    words, counts, figures = arrow.string(), arrow.int64(), arrow.float64()
    kinds = {"id": words, "text": words, "R@10": figures, "F1@5": figures, "confused_with": arrow.list_(words),
             "confused_count": arrow.list_(counts), "neighbours": arrow.list_(words)}  # fmt: skip
    return arrow.schema([(name, kinds.get(name, counts)) for name in names])


def _arrow(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError("writing parquet needs pyarrow: pip install 'eclare_py[parquet]', or write .csv") from error
