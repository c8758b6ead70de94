"""A trained model of label vectors in clusters or a tree (ELIAS, LightXML, Rank-AE) as it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.index import GATES, LabelTree, gated_search, search
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.model.frozen_attention import FrozenAttention
from eclare_py.quantize import Rows
from eclare_py.rank.filtered import spare, without
from eclare_py.rank.pair_ranker import PairRanker
from eclare_py.rank.pipeline import LabelTable, frozen_transformer
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import query_blocks
from eclare_py.rank.sound import sound, sound_codes
from eclare_py.types import FloatArray, IntArray, Ranking

if TYPE_CHECKING:
    from eclare_py.features.transformer import SentenceEncoder

_BLOCK = 4096  # texts ranked at once


@dataclass(frozen=True)
class ClusterPipeline:
    """All parts of a trained model whose labels are found by an index and scored by a vector each.

    A label scores sigmoid(<x, v_l> + b_l), with gated clusters times its best path, see `index.gated_search`; x is the
    encoder's vector.
    What training put between the two (a scale, a linear map) is folded into the vectors.

    Attributes:
        recipe: The recipe as plain data; `method` says which method it is.
        features: TF-IDF of texts.
        encoder: Document encoder; or a transformer whose own vectors are x.
        index: One level of clusters with the gate `softmax` or `sigmoid`, labels may sit in several; or a label tree.
        vectors: (L, d) label classifiers, rounded to their codes.
        bias: (L,).
        beam: Clusters visited for a document.
        shortlist: Most labels scored for a document.
        frequencies: (L,) train frequencies.
        n_documents: N.
        labels: Names of the labels.
        facts: What is known of the training.
        pairs: Second ranking of what the index finds (ELIAS++), or None.
    """

    recipe: dict[str, Any]
    features: TfidfFeatures
    encoder: FrozenEncoder | FrozenAttention | DenseColumns
    index: LabelTree
    vectors: FloatArray
    bias: FloatArray
    beam: int
    shortlist: int
    frequencies: IntArray
    n_documents: int
    labels: LabelTable
    facts: dict[str, Any] = field(default_factory=dict)
    pairs: PairRanker | None = None

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.labels.texts)

    @cached_property
    def codes(self) -> Rows:
        """The label classifiers by their codes."""
        return sound_codes(self.vectors)

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """The frozen transformer, where the recipe has one."""
        return None if self.recipe["document"]["kind"] == "bag" else frozen_transformer(self.recipe, self.facts)

    def encode(self, texts: Sequence[str]) -> Query:
        """(B,) texts -> vectors and TF-IDF rows."""
        terms = self.features.transform_one(texts[0]) if len(texts) == 1 else self.features.transform(texts)
        if isinstance(self.encoder, DenseColumns):
            return Query(self.encoder.encode(texts), terms)
        sentences = self.sentence_encoder
        embeddings = None if sentences is None else sentences.encode(list(texts))
        return Query(self.encoder.encode(terms, embeddings), terms)

    def rank(self, texts: Sequence[str], k: int = 10, *, hidden: IntArray | None = None) -> Ranking:
        """The k most probable labels of each text.

        Args:
            texts: (B,) texts.
            k: Labels wanted; rows are padded where the clusters visited hold fewer.
            hidden: (F, 2) filter pairs (row, label) that must not come up.
        """
        parts = [
            self.rank_query(self.encode(texts[rows]), k, pairs)
            for rows, pairs in query_blocks(len(texts), hidden, _BLOCK)
        ]
        return sound(Ranking.stack(parts, k))

    def rank_query(self, query: Query, k: int, hidden: IntArray | None = None) -> Ranking:
        """`rank` of documents that are encoded already."""
        wanted = k + spare(hidden)
        if self.pairs is None:
            ranking = self.search(query, wanted)
        else:
            found = self.search(query, max(wanted, self.pairs.depth))
            ranking = self.pairs.rerank(found, query, self.frequencies, wanted)
        if hidden is None or not len(hidden):
            return ranking
        return Ranking.from_csr(without(ranking.to_csr(self.n_labels), hidden), k)

    def search(self, query: Query, k: int) -> Ranking:
        """The k labels with the best probabilities by the index alone."""
        if self.index.score not in GATES:
            found = search(
                self.index, query.vectors, beam=self.beam, label_vectors=self.vectors, label_bias=self.bias, k=k,
                codes=self.codes,
            )  # fmt: skip
            chances = np.where(found.indices >= 0, 0.5 * (1 + np.tanh(0.5 * found.scores)), -np.inf)
            return Ranking(found.indices, chances.astype(np.float32))
        return gated_search(
            self.index, query.vectors, beam=self.beam, label_vectors=self.vectors, label_bias=self.bias, k=k,
            shortlist=self.shortlist, codes=self.codes,
        )[0]  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Sizes, settings and training facts of the model as plain data."""
        return {
            "recipe": self.recipe,
            "labels": self.n_labels,
            "features": self.features.n_features,
            "dim": self.encoder.dim,
            "tree": {"levels": self.index.n_levels, "leaves": self.index.n_leaves, "beam": self.beam},
            "weights": 0 if self.pairs is None else len(self.pairs.classifiers.chunks.values),
            "clusters": {
                "gate": self.index.score, "slots": len(self.index.label_order), "shortlist": self.shortlist,
            },
            "facts": self.facts,
        }  # fmt: skip
