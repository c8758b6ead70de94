"""A trained XR-Linear model as it answers: texts in, ranked labels out; with sentence vectors, an XR-Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.index.expected import work_beside_yardsticks
from eclare_py.linear.model import LinearRanker
from eclare_py.linear.work import ranker_walk
from eclare_py.rank.filtered import spare, without
from eclare_py.rank.pipeline import LabelTable
from eclare_py.rank.ranker import query_blocks
from eclare_py.rank.sound import sound
from eclare_py.types import Csr, IntArray, Ranking, as_csr

_BLOCK = 8192  # texts ranked at once


@dataclass(frozen=True)
class LinearPipeline:
    """All parts of a trained model of the methods `linear` and `xr_transformer`.

    Attributes:
        recipe: The recipe as plain data.
        features: TF-IDF of texts.
        trees: One linear ranker a tree; a label scores the mean of its paths, 0 where a beam did not reach it.
        frequencies: (L,) train frequencies.
        n_documents: N.
        labels: Names of the labels.
        facts: What is known of the training.
        dense: Sentence vectors that stand beside the TF-IDF, or None.
    """

    recipe: dict[str, Any]
    features: TfidfFeatures
    trees: list[LinearRanker]
    frequencies: IntArray
    n_documents: int
    labels: LabelTable
    facts: dict[str, Any] = field(default_factory=dict)
    dense: DenseColumns | None = None

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.labels.texts)

    def rank(self, texts: Sequence[str], k: int = 10, *, hidden: IntArray | None = None) -> Ranking:
        """The k most probable labels of each text.

        Args:
            texts: (B,) texts.
            k: Labels wanted; rows are padded where the beams reach fewer.
            hidden: (F, 2) filter pairs (row, label) that must not come up.
        """
        parts = [self._rank_block(texts[rows], k, pairs) for rows, pairs in query_blocks(len(texts), hidden, _BLOCK)]
        return sound(Ranking.stack(parts, k))

    def _rank_block(self, texts: Sequence[str], k: int, hidden: IntArray | None) -> Ranking:
        rows = self.features.transform_one(texts[0]) if len(texts) == 1 else self.features.transform(texts)
        if self.dense is not None:
            rows = self.dense.append(rows, texts)
        hides = hidden is not None and len(hidden)
        rankings = [tree.rank(rows, k + spare(hidden)) for tree in self.trees]
        if len(rankings) == 1 and not hides:
            return rankings[0]
        scores: Csr = as_csr(sum(ranking.to_csr(self.n_labels) for ranking in rankings)) / len(rankings)
        if hides:
            scores = without(scores, hidden)  # type: ignore[arg-type]
        return Ranking.from_csr(scores, k)

    def describe(self) -> dict[str, Any]:
        """Sizes, settings and training facts of the model as plain data."""
        levels, settings, counts = self.trees[0].levels, self.trees[0].config, self.frequencies
        walk = ranker_walk(self.trees[0], counts / max(int(counts.sum()), 1))
        return {
            "recipe": self.recipe,
            "labels": self.n_labels,
            "features": self.features.n_features,
            "dense_columns": 0 if self.dense is None else self.dense.dim,
            "tree": {
                "trees": len(self.trees),
                "levels": len(levels) - 1,
                "leaves": levels[-1].n_chunks,
                "beam": self.trees[0].config.beam,
                "work": work_beside_yardsticks(
                    walk, counts, branching=settings.branching, max_leaf=settings.max_leaf
                ),
            },
            "weights": sum(len(level.values) for tree in self.trees for level in tree.levels),
            "facts": self.facts,
        }
