"""From document vectors to ranked labels: shortlist, graph candidates, fused score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from eclare_py.graph.normalize import set_self_loops
from eclare_py.index import LabelTree, alike, search_checked
from eclare_py.linear import LinearRanker
from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.quantize import Rows
from eclare_py.rank import one_pass
from eclare_py.rank.arrays import Documents, LabelArrays, Limits, SupportArrays, pointers
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.candidates import Candidates, add_paths, from_evidence, from_shortlist, grow, spread, strongest
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import (
    FIRST_COLUMNS,
    GRAPH_COLUMNS,
    LINEAR_COLUMNS,
    VOTE_COLUMNS,
    LabelProfile,
    Neighbourhood,
    first_evidence,
    graph_evidence,
    linear_evidence,
    smoothed,
)
from eclare_py.rank.filtered import spare
from eclare_py.rank.fusion import FIRST_LOGIT, FusionNetwork, probability
from eclare_py.rank.kernels import mutual_weights
from eclare_py.rank.layers import Layers
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.query import Query
from eclare_py.rank.sound import sound_codes
from eclare_py.rank.votes import Votes, vote_evidence, voted
from eclare_py.threads import in_parts
from eclare_py.types import Csr, FloatArray, IntArray, Ranking

_BLOCK = 4096  # documents ranked at once: threads wait for each other at the end of each step
_TOGETHER = 16  # of them handed to a thread
_DERIVED = ("codes", "around", "mutual", "rarity", "boost", "_labels")  # of all but the fusions


@dataclass(frozen=True)
class LabelScorer:
    """The dense side of all labels: dense score = <x, v_l> + bias_l.

    Attributes:
        vectors: (L, d) label vectors.
        bias: (L,) biases in units of the cosine.
        tree: The index over the vectors.
        beam: Leaves searched per document.
    """

    vectors: FloatArray
    bias: FloatArray
    tree: LabelTree
    beam: int


class Search(NamedTuple):
    """What is looked up for B documents before a fusion weighs it.

    Attributes:
        nearest: (B, K) labels by dense score.
        reached: (B, J) labels by the log of the linear ranker's path score; J = 0 without one.
        votes: Those of the nearest train documents; nothing where these are not kept.
    """

    nearest: Ranking
    reached: Ranking
    votes: Votes


@dataclass(frozen=True)
class Evidence:
    """Candidates of a batch with all that the fusion sees of them.

    Attributes:
        found: The P candidates.
        columns: (P, F) evidence.
    """

    found: Candidates
    columns: FloatArray


@dataclass(frozen=True)
class Ranker:
    """Shortlist from the tree, more candidates from the label graph, one fused probability.

    1. The K labels with the best dense score in the beam of the tree, the best of the linear ranker's beam, and those
       that the nearest train documents vote for.
    2. `first` turns dense score, path score of the linear ranker, votes, prior, words in common and nearness to the
       label's documents into a first probability.
    3. The first probabilities of the best few labels are spread over the support graph. ECLARE averages spread and own
       scores with a fixed 1/2; here the support brings in candidates and is evidence for the fusion.
    4. `final` turns all evidence of the finalists, the best by `first`, into the probability that is returned.

    Attributes:
        scorer: Dense side of the labels.
        profile: What else is known of the labels.
        graph: (L, L) normalised label graph, the one that the label encoder uses.
        support: (L, L) support graph, rows = given label.
        config: Sizes.
        n_documents: N, documents that were trained on.
        linear: Linear ranker over the leading columns of the terms, or None.
        first: Fusion without the graph.
        final: Fusion with the graph; None where the graph is not used.
        calibration: From lifted logits to probabilities.
        neighbours: Train documents that vote, or None.
    """

    scorer: LabelScorer
    profile: LabelProfile
    graph: Csr
    support: Csr
    config: RankConfig
    n_documents: int
    linear: LinearRanker | None = None
    first: FusionNetwork | None = None
    final: FusionNetwork | None = None
    calibration: Calibration = field(default_factory=Calibration.none)
    neighbours: Neighbours | None = None

    def refitted(
        self, *, first: FusionNetwork | None, final: FusionNetwork | None = None, calibration: Calibration | None = None
    ) -> Ranker:
        """The same ranker with other fusions; what was derived from the labels is not derived again."""
        other = replace(self, first=first, final=final, calibration=calibration or self.calibration)
        derived = {name: value for name, value in vars(self).items() if name in _DERIVED}
        vars(other).update(derived)
        return other

    def search(self, query: Query, hidden: IntArray | None) -> Search:
        """Look up what all fusions start from, so that it need not be done for each of them."""
        return Search(self._nearest(query, hidden), self._reached(query), self._votes(query))

    def shortlist(self, query: Query, hidden: IntArray | None, search: Search | None = None) -> Candidates:
        """Step 1: candidates from the tree, the linear ranker's beam and the nearest train documents."""
        nearest, reached, votes = search or self.search(query, hidden)
        n_labels = len(self.scorer.vectors)
        pairs = from_shortlist(nearest, hidden, size=self.config.shortlist)
        if self.neighbours is not None:
            pairs = self._grow(query, pairs, voted(votes, n_labels), hidden)
        if self.linear is not None:
            paths = reached.to_csr(n_labels)
            pairs = add_paths(self._grow(query, pairs, paths, hidden), paths)
        return pairs

    def _nearest(self, query: Query, hidden: IntArray | None) -> Ranking:
        """Labels by dense score."""
        scorer = self.scorer
        # As many labels more as a document may have hidden, so that hiding does not shorten the list.
        return search_checked(
            scorer.tree,
            query.vectors,
            beam=scorer.beam,
            label_vectors=scorer.vectors,
            label_bias=scorer.bias,
            codes=self.codes,
            k=min(self.config.shortlist + spare(hidden), len(scorer.vectors)),
        )[0]

    def _reached(self, query: Query) -> Ranking:
        """Labels by the log of the linear ranker's path score; none without one."""
        if self.linear is None:
            return Ranking(np.empty((len(query), 0), np.int64), np.empty((len(query), 0), np.float32))
        return self.linear.paths(query.terms, self.config.linear_candidates, leading=True)

    def _votes(self, query: Query) -> Votes:
        """What the nearest train documents have; nothing where they are not kept."""
        if self.neighbours is None:
            return Votes.none(len(query))
        return self.neighbours.vote(query.vectors, self.config)

    def _grow(self, query: Query, found: Candidates, extra: Csr, hidden: IntArray | None) -> Candidates:
        scorer, last = self.scorer, self.config.shortlist
        return grow(found, extra, query.vectors, scorer.vectors, scorer.bias, last=last, hidden=hidden)

    def first_pass(self, query: Query, found: Candidates, votes: Votes | None = None) -> FloatArray:
        """(P, F) evidence without the graph."""
        parts = [first_evidence(query, found, self.profile)]
        if self.linear is not None:
            parts.append(linear_evidence(found))
        if self.neighbours is not None:
            parts.append(vote_evidence(votes or self._votes(query), found, len(self.scorer.vectors)))
        return np.concatenate(parts, axis=1)

    def with_graph(self, query: Query, found: Candidates, hidden: IntArray | None, votes: Votes) -> Evidence:
        """Steps 2 and 3: spread first probabilities, add candidates, collect the evidence."""
        if self.first is None:
            raise ValueError("the first fusion must be fitted before the graph can be used")
        n_labels = len(self.scorer.vectors)
        logits = self.first.logits(self.first_pass(query, found, votes))
        seeds = strongest(found.matrix(logits, n_labels), self.config.seeds)
        seeds.data = probability(seeds.data)
        supports = spread(seeds, self.support)
        if self.config.graph_candidates:
            found = self._grow(query, found, strongest(supports, self.config.graph_candidates), hidden)
        columns = self.first_pass(query, found, votes)
        logits = self.first.logits(columns)
        finalists = found.best(logits, self.config.finalists)
        found = found.select(finalists)
        parts = [columns[finalists], logits[finalists, None]]
        if self.config.graph_features:
            parts.append(graph_evidence(query, found, supports, seeds, self.support, self.mutual, self.around))
        return Evidence(found, np.concatenate(parts, axis=1))

    @cached_property
    def codes(self) -> Rows:
        """Label vectors by their int8 codes."""
        return sound_codes(self.scorer.vectors)

    @cached_property
    def around(self) -> Neighbourhood:
        """Label vectors and centroids smoothed over the label graph."""
        return Neighbourhood.of(self.graph, self.scorer.vectors, self.profile.centroids)

    @cached_property
    def mutual(self) -> FloatArray:
        """(E,) mutual weights of the support graph's edges."""
        return mutual_weights(self.support)

    @property
    def uses_graph(self) -> bool:
        """Whether there is a second pass."""
        return bool(self.config.graph_candidates or self.config.graph_features)

    @property
    def first_columns(self) -> tuple[str, ...]:
        """Names of the columns that the first fusion sees."""
        linear = () if self.linear is None else LINEAR_COLUMNS
        return (*FIRST_COLUMNS, *linear, *(() if self.neighbours is None else VOTE_COLUMNS))

    @property
    def final_columns(self) -> tuple[str, ...]:
        """Names of the columns that the final fusion sees."""
        return (*self.first_columns, FIRST_LOGIT, *(GRAPH_COLUMNS if self.config.graph_features else ()))

    def evidence(self, query: Query, hidden: IntArray | None = None, search: Search | None = None) -> Evidence:
        """All candidates of the documents with what the last fusion sees of them."""
        search = search or self.search(query, hidden)
        found = self.shortlist(query, hidden, search)
        if self.uses_graph:
            return self.with_graph(query, found, hidden, search.votes)
        return Evidence(found, self.first_pass(query, found, search.votes))

    def weigh(self, query: Query, hidden: IntArray | None = None, search: Search | None = None) -> Evidence:
        """What `evidence` gives, by compiled code: for training, which wants it of thousands of documents."""
        if not self.uses_graph:
            return self.evidence(query, hidden, search)
        labels, edges, first, _, limits = self._compiled
        documents = self._documents(query, hidden, search or self.search(query, hidden))
        room = limits.shortlist + documents.reached.shape[1] + documents.voted.shape[1] + limits.graph_candidates
        most = min(limits.finalists, room)
        counts = np.empty(len(query), dtype=np.int64)
        found = np.empty((len(query), most), dtype=np.int64)
        columns = np.empty((*found.shape, len(self.final_columns)), dtype=np.float32)
        arrays = (documents, labels, edges, first, limits, counts, found, columns)
        in_parts(len(query), _TOGETHER, lambda start, stop: one_pass.weigh_documents(start, stop, *arrays))
        there = np.arange(most) < counts[:, None]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        kept = columns[there]
        path = kept[:, len(FIRST_COLUMNS)] if self.linear is not None else None
        return Evidence(from_evidence(indptr, found[there], kept, path), kept)

    def logits(self, evidence: Evidence) -> FloatArray:
        """(P,) fused logits, rare labels lifted by `tail_boost`, calibrated."""
        network = self.final if self.uses_graph else self.first
        if network is None:
            raise ValueError("the fusion is not fitted yet")
        slope, offset = self.calibration.at(self.config.tail_boost)
        lifted = network.logits(evidence.columns) + self.boost[evidence.found.labels]
        return np.asarray(slope * lifted + offset, dtype=np.float32)

    @cached_property
    def boost(self) -> FloatArray:
        """(L,) tail_boost * ln(1 / propensity): what a label's logit is lifted by.

        Rare labels are missing from many documents they belong to (Jain et al., KDD 2016), held-out ones included, so
        the fitted probabilities are too low for them.
        """
        return np.float32(self.config.tail_boost) * self.rarity

    @cached_property
    def rarity(self) -> FloatArray:
        """(L,) ln(1 / propensity)."""
        return np.log(inverse_propensities(self.profile.priors, self.n_documents)).astype(np.float32)

    def rank(self, query: Query, k: int, hidden: IntArray | None = None) -> Ranking:
        """The k labels of each document with the best fused scores.

        Args:
            query: B documents.
            k: Labels wanted.
            hidden: (F, 2) filter pairs (document, label) that must not come up.

        Returns:
            (B, k) Ranking of scores in 0..1: the share of labels ranked with such a score that is relevant. With a
            `tail_boost` this holds over all labels together; of rare ones fewer are in the data than the score says.
        """
        if len(query) <= _TOGETHER:
            return self._rank_block(query, k, hidden)
        order = alike(self.scorer.tree, query.vectors)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        if hidden is not None:
            hidden = np.stack([place[hidden[:, 0]], hidden[:, 1]], axis=1)
        query = Query(query.vectors[order], query.terms[order])
        blocks = query_blocks(len(query), hidden, _BLOCK)
        found = Ranking.stack([self._rank_block(query.part(rows), k, pairs) for rows, pairs in blocks], k)
        return Ranking(found.indices[place], found.scores[place])

    def _rank_block(self, query: Query, k: int, hidden: IntArray | None) -> Ranking:
        if self.uses_graph and self.final is None:
            raise ValueError("the fusion is not fitted yet")
        found = Ranking.empty(len(query), k)
        documents = self._documents(query, hidden, self.search(query, hidden))
        arrays = (documents, *self._compiled, found.indices, found.scores)
        in_parts(len(query), _TOGETHER, lambda start, stop: one_pass.rank_documents(start, stop, *arrays))
        return found

    def _documents(self, query: Query, hidden: IntArray | None, search: Search) -> Documents:
        return Documents.of(query.vectors, query.terms, *search, *_grouped(hidden, len(query)))

    @cached_property
    def _compiled(self) -> tuple[Any, ...]:
        """The model as the compiled code takes it: labels, support, first and final fusion, limits."""
        if self.first is None:
            raise ValueError("the fusion is not fitted yet")
        config, support = self.config, self.support
        edges = SupportArrays(*pointers(support), support.data, self.mutual)
        layers = [Layers.of(network) for network in (self.first, self.final or self.first)]
        limits = Limits(
            config.shortlist, config.graph_candidates, config.seeds, config.finalists, self.linear is not None,
            self.neighbours is not None, self.uses_graph, config.graph_features,
            *self.calibration.at(config.tail_boost),
        )  # fmt: skip
        return self._labels, edges, *layers, limits

    @cached_property
    def _labels(self) -> LabelArrays:
        profile, graph = self.profile, set_self_loops(self.graph, "none")
        near_vectors, near_centroids = (smoothed(graph, rows) for rows in (self.scorer.vectors, profile.centroids))
        vectors, centroids = self.codes, sound_codes(profile.centroids)
        term_ptr, terms = pointers(profile.terms)
        return LabelArrays(
            *vectors,
            self.scorer.bias,
            *centroids,
            *near_vectors,
            *near_centroids,
            log_frequencies=np.log1p(profile.priors).astype(np.float32),
            boost=self.boost,
            term_ptr=term_ptr,
            terms=terms,
            weights=profile.terms.data,
        )


def _grouped(hidden: IntArray | None, n: int) -> tuple[IntArray, IntArray]:
    """Filter pairs as (n+1,) pointers and the labels of each document."""
    if hidden is None or not len(hidden):
        return np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int64)
    hidden = hidden[np.argsort(hidden[:, 0], kind="stable")]
    counts = np.bincount(hidden[:, 0], minlength=n)
    return np.concatenate([[0], np.cumsum(counts)]), np.ascontiguousarray(hidden[:, 1])


def query_blocks(n: int, hidden: IntArray | None, size: int) -> Iterator[tuple[slice, IntArray | None]]:
    """Rows of at most `size` documents at a time, with their own filter pairs, rows counted anew."""
    if hidden is not None:
        hidden = hidden[np.argsort(hidden[:, 0], kind="stable")]
    for start in range(0, n, size):
        stop = min(start + size, n)
        if hidden is None or not len(hidden):
            yield slice(start, stop), None
            continue
        first, last = np.searchsorted(hidden[:, 0], [start, stop])
        yield slice(start, stop), hidden[first:last] - np.array([start, 0])
