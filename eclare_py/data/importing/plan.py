"""Plan: which rows and labels of an import are written, and on which side, once all of them are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eclare_py.data.importing.documents import NONE_LEFT, Documents
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.split import choose_test
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import Vocabulary
from eclare_py.data.lf_writer import Split
from eclare_py.data.problems import show
from eclare_py.types import BoolArray, Csr

_LEFT_IN_TEST = "text also in the test table"


@dataclass(frozen=True, eq=False)
class Plan:
    """What is written where.

    Attributes:
        kept: Documents of each table that are written, (N,) masks.
        test: Of the documents of the train table, those that go to the test split.
        matrices: (N, L) labels, those that are left out zeroed.
        labels: (L,) mask of the labels written.
        frequencies: (L,) documents of each label among those kept.
    """

    kept: dict[Split, BoolArray]
    test: BoolArray
    matrices: dict[Split, Csr]
    labels: BoolArray
    frequencies: npt.NDArray[np.int64]
    edges: list[tuple[int, int, str]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        parts: Mapping[Split, Documents],
        vocabulary: Vocabulary,
        options: ImportOptions,
        tally: Tally,
        *,
        from_file: bool,
    ) -> Plan:
        """Decide what is kept and choose the test documents."""
        n_labels, train = len(vocabulary.ids), parts["train"]
        matrices = {split: part.matrix(n_labels) for split, part in parts.items()}
        kept = {split: np.ones(len(part), dtype=np.bool_) for split, part in parts.items()}
        if "test" in parts:
            kept["train"] &= ~_rejected(train, train.repeats(parts["test"]), _LEFT_IN_TEST, tally)
        frequencies = _frequencies(matrices, kept)
        low = options.min_count if from_file else max(options.min_count, 1)
        labels = frequencies >= low
        _tell_rare(vocabulary, frequencies, labels, options, tally)
        for split, part in parts.items():
            if not options.unlabelled:
                has = (matrices[split] @ labels.astype(np.float32)) > 0
                kept[split] &= ~_rejected(part, kept[split] & ~has, NONE_LEFT, tally)
        test = np.zeros(len(train), dtype=np.bool_)
        rows = np.flatnonzero(kept["train"])
        if "test" not in parts and len(rows):
            texts = [train.texts[row] for row in rows.tolist()]
            allowed = matrices["train"][rows][:, np.flatnonzero(labels)]
            test[rows] = choose_test(texts, allowed, share=options.test_share, keep=options.keep, seed=options.seed)
            _tell_short(int(test.sum()), len(rows), options, tally)
        edges = [edge for edge in vocabulary.edges if labels[edge[0]] and labels[edge[1]]]
        return cls(kept, test, matrices, labels, frequencies, edges)

    def label_counts(self, in_file: int) -> dict[str, int]:
        """What became of the labels, in numbers."""
        return {
            "in_label_file": in_file,
            "known": len(self.labels),
            "written": int(self.labels.sum()),
            "below_min_count": int((~self.labels).sum()),
            "without_documents": int((self.frequencies[self.labels] == 0).sum()),
            "with_one_document": int((self.frequencies[self.labels] == 1).sum()),
            "edges": len(self.edges),
        }


def _rejected(part: Documents, rows: BoolArray, reason: str, tally: Tally) -> BoolArray:
    """Tell that documents are left out after all; returns them again."""
    for row in np.flatnonzero(rows).tolist():
        tally.reject(reason, part.place(row), show(part.texts[row]))
    return rows


def _frequencies(matrices: Mapping[Split, Csr], kept: Mapping[Split, BoolArray]) -> npt.NDArray[np.int64]:
    sums = [np.asarray(kept[split].astype(np.float64) @ matrices[split]) for split in kept]
    return np.sum(sums, axis=0).astype(np.int64)


def _tell_rare(
    vocabulary: Vocabulary,
    frequencies: npt.NDArray[np.int64],
    labels: BoolArray,
    options: ImportOptions,
    tally: Tally,
) -> None:
    for row in np.flatnonzero(~labels & (frequencies > 0)).tolist():
        reason = f"label of fewer than {options.min_count} documents"
        tally.tell("labels", reason, f"{show(vocabulary.ids[row])} ({frequencies[row]})", int(frequencies[row]))
    texts: dict[str, str] = {}
    for row in np.flatnonzero(labels).tolist():
        first = texts.setdefault(vocabulary.texts[row], vocabulary.ids[row])
        if first != vocabulary.ids[row]:
            tally.note("labels with the same text", f"{show(vocabulary.texts[row])}: {first} and {vocabulary.ids[row]}")


def _tell_short(found: int, documents: int, options: ImportOptions, tally: Tally) -> None:
    if found < 0.9 * options.test_share * documents:
        said = f"{found:,} of {documents:,}: the labels of the others are too rare to share"
        tally.note("fewer test documents than wanted", said)
