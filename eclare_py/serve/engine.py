"""The model as the server asks it: names looked up without guessing, and what does not depend on the text kept.

Nothing here may be called from two threads at once, but for what says so.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eclare_py.estimator import EclareClassifier
from eclare_py.rank.explain import Explanation, Split, explain, label_parts, split_parts
from eclare_py.rank.models import method_of
from eclare_py.rank.pipeline import Pipeline
from eclare_py.report.pictures.neighbourhood import Neighbourhood, strongest_around
from eclare_py.types import Csr, FloatArray, IntArray, Ranking

if TYPE_CHECKING:
    from eclare_py.metrics.bin_thresholds import BinThresholds

PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # that the page offers
AROUND = 24  # labels of a neighbourhood
_KEPT_PARTS = 4096  # labels whose vector's parts are kept, some KB each
_KEPT_THRESHOLDS = 256
_DOCUMENTS = 5
_WARM_TEXT = "warm up"


@dataclass(frozen=True)
class LabelCard:
    """A label apart from any text.

    Attributes:
        row: Its row.
        around: Itself and the labels around it; alone where the model has no label graph.
        documents: Names of some of its train documents, where the model keeps them.
    """

    row: int
    around: Neighbourhood
    documents: list[str]


class Engine:
    """A loaded model.

    Args:
        classifier: With a trained model.
    """

    def __init__(self, classifier: EclareClassifier) -> None:
        self.classifier = classifier
        self.model = classifier.pipeline
        self.labels = self.model.labels
        self.frequencies: IntArray = self.model.frequencies
        self._parts: OrderedDict[int, FloatArray] = OrderedDict()
        self._thresholds: OrderedDict[tuple[float, int], BinThresholds | None] = OrderedDict()

    @property
    def method(self) -> str:
        """The method as the recipe names it."""
        return method_of(self.model)

    @property
    def fusion(self) -> Pipeline | None:
        """The model where it has label vectors and a graph to explain a score by."""
        return self.model if isinstance(self.model, Pipeline) else None

    @property
    def has_thresholds(self) -> bool:
        """Whether a precision can be asked for."""
        return self.fusion is not None and self.fusion.held_out is not None

    @property
    def why_not(self) -> str:
        """Why scores are not explained; empty where they are."""
        if self.fusion is not None:
            return ""
        return f"this model is of the method {self.method}: it has no label vectors or graph to explain a score by"

    def find(self, name: str) -> int | None:
        """The row of a label by its id, or else its text; any thread may ask."""
        return self._rows.get(name)

    @cached_property
    def _rows(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for names in (self.labels.ids or [], self.labels.texts):
            for row, name in enumerate(names):
                rows.setdefault(name, row)
        return rows

    def warm(self) -> None:
        """Compile, load and fill what the first requests would wait for."""
        ranking = self.rank([_WARM_TEXT], 1)
        self.rank([_WARM_TEXT, f"{_WARM_TEXT} again"], 1)
        self.find("")
        self.shares(_WARM_TEXT, [row for row in ranking.indices[0].tolist() if row >= 0] or [0])
        _ = self.card(0), self.offered

    def rank(self, texts: list[str], k: int) -> Ranking:
        """(B,) texts -> (B, k)."""
        return self.classifier.predict(texts, k)

    def thresholds(self, precision: float, k: int) -> BinThresholds | None:
        """As `EclareClassifier.thresholds`, kept."""
        key = (precision, k)
        if key not in self._thresholds:
            found = self.classifier.thresholds(precision, k)
            self._thresholds[key] = found
            if len(self._thresholds) > _KEPT_THRESHOLDS:
                self._thresholds.popitem(last=False)
        return self._thresholds[key]

    def known_thresholds(self, precision: float, k: int) -> BinThresholds | None:
        """The same where they are kept; any thread may ask.

        Raises:
            KeyError: They are not.
        """
        return self._thresholds[precision, k]

    @cached_property
    def offered(self) -> list[tuple[float, BinThresholds | None]]:
        """Thresholds for the precisions of the page; none where the model has none.

        For ten labels per text; of fewer labels a greater share is relevant, so they keep the precision too.
        """
        return [(one, self.thresholds(one, 10)) for one in PRECISIONS] if self.has_thresholds else []

    def shares(self, text: str, rows: list[int]) -> list[Split] | None:
        """Shares of the dense score of some labels; None where the model has none."""
        pipeline = self.fusion
        if pipeline is None:
            return None
        x = pipeline.encode([text]).vectors[0]
        return [split_parts(pipeline, x, row, parts) for row, parts in zip(rows, self._parts_of(rows), strict=True)]

    def _parts_of(self, rows: list[int]) -> list[FloatArray]:
        """Parts of the labels' vectors: made once, as they do not depend on the text."""
        assert self.fusion is not None
        missing = sorted({row for row in rows if row not in self._parts})
        if missing:
            made = label_parts(self.fusion, np.array(missing, dtype=np.int64))
            self._parts.update(zip(missing, made, strict=True))
        found = [self._parts[row] for row in rows]
        for row in rows:
            self._parts.move_to_end(row)
        while len(self._parts) > _KEPT_PARTS:
            self._parts.popitem(last=False)
        return found

    def explain(self, text: str, row: int | None, top: int) -> Explanation | None:
        """What is behind the score of a label, of the best one without a row; None where the model cannot tell."""
        if self.fusion is None:
            return None
        if row is None:
            row = max(int(self.rank([text], 1).indices[0, 0]), 0)
        return explain(self.fusion, text, row, top=top)

    def place(self, text: str, row: int | None) -> tuple[int | None, float | None, int | None]:
        """Row, score and rank of a label among the first hundred for a text; of the best one without a row."""
        ranking = self.rank([text], 100)
        rows = ranking.indices[0].tolist()
        if row is None:
            row = rows[0] if rows[0] >= 0 else None
        if row is None or row not in rows:
            return row, None, None
        return row, float(ranking.scores[0, rows.index(row)]), rows.index(row) + 1

    def card(self, row: int) -> LabelCard:
        """A label and what is around it."""
        pipeline = self.fusion
        if pipeline is None:
            return LabelCard(row, _alone(row), [])
        documents = pipeline.documents
        first, last = np.searchsorted(documents.pairs[:, 0], [row, row + 1])
        places = documents.pairs[first:last, 1][:_DOCUMENTS]
        near = strongest_around(self._edges, row, limit=AROUND)
        return LabelCard(row, near, [documents.names[place] for place in places.tolist()])

    @cached_property
    def _edges(self) -> Csr:
        from eclare_py.graph.edges import undirected

        assert self.fusion is not None
        return undirected(self.fusion.graph.adjacency)

    def describe(self) -> dict[str, Any]:
        """What the page has to know; any thread may ask once `warm` has run."""
        kinds = [] if self.fusion is None else _sources(self.fusion)
        return {
            "method": self.method,
            "recipe": str(self.model.recipe.get("name", self.method)),
            "labels": self.model.n_labels,
            "documents": self.model.n_documents,
            "explains": self.fusion is not None,
            "note": self.why_not,
            "sources": kinds,
            "precisions": [
                {"precision": precision}
                | ({"edges": [], "thresholds": [2.0]} if found is None
                   else {"edges": list(found.edges), "thresholds": list(found.thresholds)})
                for precision, found in self.offered
            ],
        }  # fmt: skip


def _sources(pipeline: Pipeline) -> list[str]:
    """The shares that the recipe has, in the order that they are shown."""
    label = pipeline.recipe["label"]
    there = {
        "text": label.get("text"),
        "graph": label.get("propagation", {}).get("hops"),
        "documents": label.get("prototype"),
        "free": label.get("free") or label.get("shared"),
        "prior": label.get("bias"),
    }
    return [name for name, is_there in there.items() if is_there]


def _alone(row: int) -> Neighbourhood:
    none = np.empty((0, 2), dtype=np.int64)
    return Neighbourhood(np.array([row]), np.array([0]), none, np.empty(0, dtype=np.float64), 0)
