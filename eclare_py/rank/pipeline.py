"""A trained model as it answers: texts in, ranked labels out. No torch unless a sentence encoder is part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from eclare_py.config import load_config
from eclare_py.errors import ConfigError, ModelError, UsageError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index.expected import tree_walk, work_beside_yardsticks
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.quantize import Rows
from eclare_py.rank.held_out import HeldOut
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import Ranker, query_blocks
from eclare_py.rank.sound import sound
from eclare_py.types import IntArray, Ranking

if TYPE_CHECKING:
    from eclare_py.features.transformer import SentenceEncoder

_BLOCK = 8192  # texts encoded at once


@dataclass(frozen=True)
class LabelTable:
    """Names of the labels.

    Attributes:
        texts: What each label says.
        ids: Its name in the user's own data, or None.
    """

    texts: list[str]
    ids: list[str] | None = None

    def name(self, label: int) -> str:
        """The id where there is one, else the text."""
        return self.texts[label] if self.ids is None else self.ids[label]


@dataclass(frozen=True)
class TrainDocuments:
    """For explanations: a few train documents of every label, by name and vector; their texts are not kept.

    Attributes:
        names: (n,) id of each document, or its row.
        vectors: (n, d) by codes.
        pairs: (p, 2) label and position in `names`, sorted by label.
    """

    names: list[str]
    vectors: Rows
    pairs: IntArray


@dataclass(frozen=True)
class Pipeline:
    """All parts of a trained model.

    Attributes:
        recipe: The recipe as plain data.
        features: TF-IDF of texts.
        encoder: Document encoder.
        ranker: Shortlist and fusion.
        graph: The label graph the label encoder used.
        labels: Names of the labels.
        network: Parameters of the label encoder and the scale, for explanations and further training.
        documents: Train documents for explanations.
        facts: What is known of the training: data, sizes, validation figures, seconds.
        held_out: What thresholds are chosen from; None in models saved before there was such a part.
        tuned: The transformer, where it learned with the model and is part of it; None where it is frozen, and found
            by the path in the recipe, or where there is none.
    """

    recipe: dict[str, Any]
    features: TfidfFeatures
    encoder: FrozenEncoder
    ranker: Ranker
    graph: LabelGraph
    labels: LabelTable
    network: dict[str, npt.NDArray[Any]]
    documents: TrainDocuments
    facts: dict[str, Any] = field(default_factory=dict)
    held_out: HeldOut | None = None
    tuned: SentenceEncoder | None = None

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.labels.texts)

    @property
    def frequencies(self) -> IntArray:
        """(L,) train frequencies."""
        return self.ranker.profile.frequencies

    @property
    def n_documents(self) -> int:
        """N."""
        return self.ranker.n_documents

    def describe(self) -> dict[str, Any]:
        """Sizes, settings and training facts of the model as plain data."""
        ranker, graph, tree = self.ranker, self.graph, self.ranker.scorer.tree
        shape = {name: int(self.recipe["index"][name]) for name in ("branching", "max_leaf")}
        walk = tree_walk(tree, self.frequencies / max(int(self.frequencies.sum()), 1))
        return {
            "recipe": self.recipe,
            "labels": self.n_labels,
            "features": self.features.n_features,
            "dim": self.encoder.dim,
            "graph": {"kind": graph.kind, "edges": graph.n_edges},
            "support": {"edges": int(ranker.support.nnz)},
            "tree": {
                "levels": tree.n_levels,
                "leaves": tree.n_leaves,
                "beam": ranker.scorer.beam,
                "work": work_beside_yardsticks(walk, self.frequencies, **shape),
            },
            "weights": 0 if ranker.linear is None else sum(len(level.values) for level in ranker.linear.levels),
            "facts": self.facts,
        }

    def at(self, tail_boost: float) -> Pipeline:
        """The same model with rare labels lifted more or less: another operating point, nothing is trained.

        Args:
            tail_boost: Added to a label's logit times ln(1 / propensity); 0 ranks by the fitted probability.

        Raises:
            UsageError: A negative or infinite value.
        """
        if not 0 <= tail_boost < float("inf"):
            raise UsageError(f"tail_boost={tail_boost} must be a number from 0")
        config = replace(self.ranker.config, tail_boost=float(tail_boost))
        recipe = {**self.recipe, "rank": {**self.recipe["rank"], "tail_boost": float(tail_boost)}}
        return replace(self, recipe=recipe, ranker=replace(self.ranker, config=config))

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """The transformer, where the model has one.

        Raises:
            ModelError: The settings in the recipe are not those of a transformer, or what lies in its folder is not
                what the model was trained with.
        """
        if self.tuned is not None or self.recipe["document"]["kind"] == "bag":
            return self.tuned
        return frozen_transformer(self.recipe, self.facts)

    def encode(self, texts: Sequence[str]) -> Query:
        """(B,) texts -> vectors and TF-IDF rows."""
        sentences = self.sentence_encoder
        embeddings = None if sentences is None else sentences.encode(list(texts))
        terms = self.features.transform_one(texts[0]) if len(texts) == 1 else self.features.transform(texts)
        return Query.of(self.encoder.encode(terms, embeddings), terms)

    def rank(self, texts: Sequence[str], k: int = 10, *, hidden: IntArray | None = None) -> Ranking:
        """The k most probable labels of each text.

        Args:
            texts: (B,) texts.
            k: Labels wanted; rows are padded where there are fewer candidates.
            hidden: (F, 2) filter pairs (row, label) that must not come up.
        """
        parts = [
            self.ranker.rank(self.encode(texts[rows]), k, pairs)
            for rows, pairs in query_blocks(len(texts), hidden, _BLOCK)
        ]
        return sound(Ranking.stack(parts, k))


def transformer_config(recipe: dict[str, Any]) -> TransformerConfig:
    """The settings of the transformer in a model's recipe.

    Raises:
        ModelError: They do not fit this version.
    """
    try:
        return load_config(TransformerConfig, recipe.get("transformer", {}), "recipe.json")
    except ConfigError as error:
        raise ModelError(f"{error}; restore the model from its source or train again") from error


def frozen_transformer(recipe: dict[str, Any], facts: dict[str, Any]) -> SentenceEncoder:
    """The transformer that a model reads with and does not hold.

    Raises:
        ModelError: What lies in its folder is not what the model was trained with.
    """
    from eclare_py.features.transformer import SentenceEncoder

    # Training may have been allowed to download it; a recipe that came with a model may not allow that to itself.
    encoder = SentenceEncoder(replace(transformer_config(recipe), local_files_only=True))
    noted = facts.get("transformer")  # not there in models of earlier versions
    known = noted.get("fingerprint") if isinstance(noted, dict) else None
    if known is not None and known != encoder.fingerprint:
        raise ModelError(f"{encoder.folder} is not the transformer that this model was trained with; restore it")
    return encoder
