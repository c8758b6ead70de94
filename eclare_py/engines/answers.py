"""A loaded model as a batch answers with it: rows in, records of ranked labels out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclare_py.engines.rows import Row
from eclare_py.estimator import EclareClassifier
from eclare_py.rank.selection import automatable, keep_above
from eclare_py.types import Ranking


@dataclass(frozen=True)
class AnswerSettings:
    """What is asked of every row; see `eclare predict`.

    Attributes:
        top_k: Labels per row.
        precision: Keep only what reaches the thresholds for this precision.
        min_precision: Mark the rows whose first label reaches the threshold for this precision.
        tail_boost: Lift of rare labels instead of the recipe's.
        text: Columns of the text, by commas; see `engines.rows.read_rows`.
    """

    top_k: int = 10
    precision: float | None = None
    min_precision: float | None = None
    tail_boost: float | None = None
    text: str = ""


class Answers:
    """Ranks the labels of rows.

    Attributes:
        classifier: The loaded model.
        settings: What is asked.
        notes: What a person should know of the answers as a whole.
    """

    def __init__(self, classifier: EclareClassifier, settings: AnswerSettings) -> None:
        self.classifier = classifier
        self.notes: list[str] = []
        self.settings = settings
        self._frequencies = classifier.pipeline.frequencies
        self._thresholds = self._choose(settings.precision, settings.top_k, "kept")
        self._first = self._choose(settings.min_precision, 1, "automated")

    @classmethod
    def load(cls, model: Path, settings: AnswerSettings) -> Answers:
        """Load a model folder.

        Raises:
            ModelError: No model, or without what a precision needs.
            UsageError: A setting that the model does not have.
        """
        return cls(EclareClassifier.load(model, tail_boost=settings.tail_boost), settings)

    def _choose(self, precision: float | None, k: int, what: str) -> Any:
        if precision is None:
            return None
        found = self.classifier.thresholds(precision, k)
        if found is None:
            note = f"no threshold reached a precision of {precision} on the held-out documents: nothing is {what}"
            self.notes.append(note)
        return found

    def rank(self, rows: list[Row]) -> Ranking:
        """The ranking of some rows, less what is below the thresholds for a precision."""
        k = min(self.settings.top_k, self.classifier.n_labels)
        ranking = self.classifier.predict([row.text for row in rows], k)
        if self.settings.precision is None:
            return ranking
        return keep_above(ranking, self._thresholds, self._frequencies)

    def records(self, rows: list[Row]) -> list[dict[str, Any]]:
        """One record for each row: its uid where it has one, its labels, and whether it can be automated if asked."""
        ranking = self.rank(rows)
        labels = self.classifier.pipeline.labels
        records: list[dict[str, Any]] = []
        for row, found, scores in zip(rows, ranking.indices.tolist(), ranking.scores.tolist(), strict=True):
            entries = [
                {"label": labels.name(label), "text": labels.texts[label], "score": round(score, 6)}
                for label, score in zip(found, scores, strict=True)
                if label >= 0
            ]
            records.append({"labels": entries} if row.uid is None else {"uid": row.uid, "labels": entries})
        if self.settings.min_precision is not None:
            marks = automatable(ranking, self._first, self._frequencies).tolist()
            for record, mark in zip(records, marks, strict=True):
                record["automate"] = mark
        return records


def as_line(record: dict[str, Any]) -> str:
    """A record as a line of JSON."""
    return json.dumps(record) + "\n"
