"""Why a label got its score: exact shares of the dense score, and the evidence around it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.rank.candidates import strongest
from eclare_py.rank.fusion import probability
from eclare_py.rank.label_network import label_network
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import Search
from eclare_py.rank.sound import sound
from eclare_py.types import Csr, FloatArray, IntArray

_NAMED = 5  # labels that an error names at most


@dataclass(frozen=True)
class Neighbour:
    """A label beside the explained one.

    Attributes:
        label: Its row.
        name: Its id or text.
        text: Its text.
        weight: Weight of the edge.
        probability: Its own probability for the text; None where it is not among the candidates.
    """

    label: int
    name: str
    text: str
    weight: float
    probability: float | None


@dataclass(frozen=True)
class Split:
    """Shares of the dense score <x, v> + b, which add up to it: v = normalize(sum_s alpha_s c_s).

    Attributes:
        text: From the label's own text (hop 0).
        graph: From its neighbours in the label graph (hop 1 and further).
        free: From the label's own free vector, and the one its cluster shares.
        prior: The label's bias.
        documents: From its prototype, the mean of its train documents.
    """

    text: float
    graph: float
    free: float
    prior: float
    documents: float = 0.0

    @property
    def total(self) -> float:
        """The dense score."""
        return self.text + self.graph + self.free + self.prior + self.documents


@dataclass(frozen=True)
class Explanation:
    """What is behind the score of one label for one text.

    Attributes:
        text: The text.
        label: Row of the label.
        name: Its id or text.
        label_text: Its text.
        probability: What the model returns; None where the label is not among the candidates of the text.
        rank: Place of the label in the ranking, from 1; None likewise.
        candidates: Labels that were compared.
        dense: Dense score: cosine of text and label vector plus the label's bias.
        split: Its shares.
        frequency: Train documents of the label.
        evidence: What the fusion saw, by column; the graph support as it is, and the lift of a rare label's logit.
        supporters: Predicted labels that the label is seen with, by what they give (weight times first probability).
        neighbours: Nearest labels in the graph of the label encoder, by weight.
        documents: Train documents of the label as (name, cosine with the text), nearest first.
        terms: Words and phrases of the text with what the dense score would lose without each, largest loss first;
            where none is known to the model, pieces of words, as "…ing".
    """

    text: str
    label: int
    name: str
    label_text: str
    probability: float | None
    rank: int | None
    candidates: int
    dense: float
    split: Split
    frequency: int
    evidence: dict[str, float]
    supporters: list[Neighbour]
    neighbours: list[Neighbour]
    documents: list[tuple[str, float]]
    terms: list[tuple[str, float]]


def explain(pipeline: Pipeline, text: str, label: int | str, *, top: int = 5) -> Explanation:
    """Explain the score of a label for a text.

    Needs torch, unlike an answer: the label encoder is rebuilt for the labels within reach of this one.

    Args:
        pipeline: The model.
        text: The text.
        label: Row, id or text of the label.
        top: Entries of each list.

    Raises:
        UsageError: There is no such label.
        ModelError: The parameters of the label encoder do not fit the recipe.
    """
    row = find_label(pipeline.labels, label)
    scorer = pipeline.ranker.scorer
    query = pipeline.encode([text])
    x = query.vectors[0]
    dense = float(x @ scorer.vectors[row] + scorer.bias[row])
    search = pipeline.ranker.search(query, None)
    evidence = _evidence(pipeline, query, search, row)
    chances = _chances(pipeline, query)
    given = _given(pipeline, query, search, row)
    if evidence and pipeline.ranker.uses_graph:
        evidence["graph_support"] = sum(part for _, _, part in given)
    near, weights = pipeline.graph.neighbours(row, top)
    return Explanation(
        text=text,
        label=row,
        name=pipeline.labels.name(row),
        label_text=pipeline.labels.texts[row],
        probability=chances.get(row),
        rank=list(chances).index(row) + 1 if row in chances else None,
        candidates=len(chances),
        dense=dense,
        split=split_score(pipeline, x, row),
        frequency=int(pipeline.ranker.profile.frequencies[row]),
        evidence=evidence,
        supporters=[_neighbour(pipeline.labels, other, weight, chances) for other, weight, _ in given[:top]],
        neighbours=[
            _neighbour(pipeline.labels, other, weight, chances)
            for other, weight in zip(near.tolist(), weights.tolist(), strict=True)
        ],
        documents=_documents(pipeline, x, row, top),
        terms=_terms(pipeline, text, row, dense, top),
    )


def find_label(labels: LabelTable, label: int | str) -> int:
    """The row of a label given by row, id or text, or by how one of these begins, where no other label begins so.

    A word that is neither may be a row number.

    Raises:
        UsageError: There is none, or more than one; names the nearest ones.
    """
    n_labels = len(labels.texts)
    if isinstance(label, str):
        for known in (labels.ids, labels.texts):
            if known is not None and label in known:
                return known.index(label)
        if not label.strip().isdecimal():
            begun = _beginning(labels, label)
            if len(begun) == 1:
                return begun[0]
            if begun:
                some = ", ".join(repr(labels.name(row)) for row in begun[:_NAMED])
                more = ", ..." if len(begun) > _NAMED else ""
                raise UsageError(f"{len(begun):,} labels begin with {label!r}: {some}{more}; give the whole id or text")
            near = difflib.get_close_matches(label, labels.ids or labels.texts, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ": give its id, text or row number"
            raise UsageError(f"there is no label {label!r}{hint}")
    row = int(label)
    if not 0 <= row < n_labels:
        raise UsageError(f"label {row} is outside the labels 0..{n_labels - 1}")
    return row


def _beginning(labels: LabelTable, word: str) -> list[int]:
    """Rows of the labels whose id or text begins with a word, whatever the case; none for an empty word."""
    start = word.strip().casefold()
    columns = [labels.texts] if labels.ids is None else [labels.ids, labels.texts]
    found = {row for names in columns for row, name in enumerate(names) if start and name.casefold().startswith(start)}
    return sorted(found)


def split_score(pipeline: Pipeline, x: FloatArray, label: int) -> Split:
    """Shares of the dense score of a (d,) document vector and a label; see `split_parts`."""
    return split_parts(pipeline, x, label, label_parts(pipeline, np.array([label]))[0])


def split_parts(pipeline: Pipeline, x: FloatArray, label: int, components: FloatArray) -> Split:
    """`split_score` from the (S, d) parts of the label, which do not depend on the text.

    The label's vector is stored with one byte a number, and the parts are made again with frequencies that count the
    held-out documents, which the attention of a rare label notices. What both moved is spread over the shares in
    proportion, so that they add up to the score that counts.
    """
    parts = components @ x
    moved = float(pipeline.ranker.scorer.vectors[label] @ x) - float(parts.sum())
    shares = (parts + moved * np.abs(parts) / max(float(np.abs(parts).sum()), 1e-12)).tolist()
    settings = pipeline.recipe["label"]
    vectors = [shares.pop() for kind in ("free", "shared") if settings.get(kind)]
    documents = shares.pop() if settings.get("prototype") else 0.0
    own = shares[:1] if settings["text"] else []
    return Split(
        text=float(sum(own)),
        graph=float(sum(shares[len(own) :])),
        free=float(sum(vectors)),
        prior=float(pipeline.ranker.scorer.bias[label]),
        documents=documents,
    )


def label_parts(pipeline: Pipeline, labels: IntArray) -> FloatArray:
    """The parts that add up to a label's vector: hop 0, hop 1, ..., prototype, shared and free vector, as far as used.

    Args:
        pipeline: The model.
        labels: (l,) rows.

    Returns:
        (l, S, d) components with their attention weights, scaled as the vectors are when they are normalised.

    Raises:
        ModelError: The saved parameters do not fit the recipe.
    """
    import torch

    network, places = label_network(pipeline, labels)
    with torch.no_grad():
        found = network.label_parts(places)
        vectors = found.vectors().numpy()
        parts = (found.weights[:, :, None] * found.components).numpy()
    lengths = np.maximum(np.linalg.norm(parts.sum(axis=1), axis=1), 1e-12)
    scale = np.linalg.norm(vectors, axis=1) / lengths
    return np.asarray(parts * scale[:, None, None], dtype=np.float32)


def _chances(pipeline: Pipeline, query: Query) -> dict[int, float]:
    """All candidates with their probabilities, best first.

    Ranked as answers are: the same numbers by other code differ in their last bits, which change places where
    probabilities are next to 1.
    """
    ranking = sound(pipeline.ranker.rank(query, pipeline.n_labels))
    return {
        label: score
        for label, score in zip(ranking.indices[0].tolist(), ranking.scores[0].tolist(), strict=True)
        if label >= 0
    }


def _evidence(pipeline: Pipeline, query: Query, search: Search, row: int) -> dict[str, float]:
    """What the fusion saw of a label, by column; nothing where it is not among the candidates."""
    ranker = pipeline.ranker
    seen = ranker.evidence(query, search=search)
    network = ranker.final if ranker.uses_graph else ranker.first
    place = np.flatnonzero(seen.found.labels == row)
    evidence: dict[str, float] = {}
    if len(place) and network is not None:
        evidence = dict(zip(network.columns, seen.columns[place[0]].tolist(), strict=True))
        evidence["tail_boost"] = float(ranker.boost[row])
    return evidence


def _given(pipeline: Pipeline, query: Query, search: Search, row: int) -> list[tuple[int, float, float]]:
    """Predicted labels with an edge to this one: label, weight, and what it gives to the support, largest first."""
    ranker = pipeline.ranker
    if not ranker.uses_graph or ranker.first is None:
        return []
    found = ranker.shortlist(query, None, search)
    logits = ranker.first.logits(ranker.first_pass(query, found, search.votes))
    seeds = strongest(found.matrix(probability(logits), pipeline.n_labels), ranker.config.seeds)
    weights = ranker.support[seeds.indices][:, [row]].toarray()[:, 0]
    given = weights * seeds.data
    order = [place for place in np.lexsort((seeds.indices, -given)).tolist() if given[place] > 0]
    return [(int(seeds.indices[place]), float(weights[place]), float(given[place])) for place in order]


def _neighbour(labels: LabelTable, other: int, weight: float, chances: dict[int, float]) -> Neighbour:
    return Neighbour(other, labels.name(other), labels.texts[other], weight, chances.get(other))


def _documents(pipeline: Pipeline, x: FloatArray, row: int, top: int) -> list[tuple[str, float]]:
    documents = pipeline.documents
    first, last = np.searchsorted(documents.pairs[:, 0], [row, row + 1])
    places = documents.pairs[first:last, 1]
    cosines = documents.vectors.dense(places) @ x
    order = np.lexsort((places, -cosines))[:top]
    return [(documents.names[places[i]], float(cosines[i])) for i in order.tolist()]


def _terms(pipeline: Pipeline, text: str, row: int, dense: float, top: int) -> list[tuple[str, float]]:
    """What the dense score loses when one word after the other is taken out of the text's TF-IDF row."""
    terms = pipeline.features.transform_one(text)
    every, values = terms.indices, terms.data
    is_word = every < pipeline.features.n_words
    shown = np.flatnonzero(is_word) if is_word.any() else np.arange(len(every))
    columns = every[shown]
    if not len(columns) or not pipeline.encoder.n_terms or len(pipeline.encoder.projection):
        return []
    without = np.tile(values, (len(columns), 1))
    without[np.arange(len(columns)), shown] = 0
    pointers = np.arange(len(columns) + 1, dtype=np.int64) * len(every)
    rows = Csr(
        (without.ravel(), np.tile(every, len(columns)), pointers), shape=(len(columns), pipeline.features.n_features)
    )
    scorer = pipeline.ranker.scorer
    losses = dense - (pipeline.encoder.encode(rows) @ scorer.vectors[row] + scorer.bias[row])
    names = pipeline.features.feature_names()
    order = np.lexsort((columns, -losses))[:top]
    named = str if is_word.any() else _piece
    return [(named(names[columns[i]]), float(losses[i])) for i in order.tolist()]


def _piece(ngram: str) -> str:
    """A character n-gram as a piece of a word: spaces are the word's ends."""
    before, behind = ("" if end == " " else "…" for end in (ngram[0], ngram[-1]))
    return f"{before}{ngram.strip()}{behind}"
