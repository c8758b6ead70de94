"""The last stage: fit the fusion on the held-out documents and put the ranker together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.graph.build import build_label_graph
from eclare_py.linear import LinearRanker
from eclare_py.metrics.evaluate import evaluate
from eclare_py.quantize import coarse_matrix
from eclare_py.rank.candidates import Candidates, look_up
from eclare_py.rank.evidence import VOTE_COLUMNS, LabelProfile
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.held_out import HeldOut
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import LabelScorer, Ranker, Search, query_blocks
from eclare_py.storage.spool import stacked
from eclare_py.threads import in_parts
from eclare_py.train.calibration import fit_calibration, held_out_best
from eclare_py.train.events import EventLog
from eclare_py.train.fusion import fit_fusion
from eclare_py.train.indexing import build_linear, build_neighbours, label_profile
from eclare_py.train.prepare import Prepared, all_documents
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, IntArray, Ranking

_BLOCK = 512
_DEPTH = 100  # labels of a held-out document that are judged


@dataclass(frozen=True)
class _Block:
    """Some of the held-out documents, their filter pairs, and what was looked up for them."""

    query: Query
    hidden: IntArray | None
    search: Search


@dataclass(frozen=True)
class _Half:
    """Every other of the held-out documents.

    Attributes:
        blocks: The documents.
        labels: Their labels.
    """

    blocks: list[_Block]
    labels: Csr

    @classmethod
    def of(cls, ranker: Ranker, query: Query, held_out: Dataset, side: int) -> _Half:
        """The documents from number `side` on."""
        pairs, blocks = held_out.filter_pairs, []
        pairs = pairs[pairs[:, 0] % 2 == side]
        pairs = np.stack([pairs[:, 0] // 2, pairs[:, 1]], axis=1)
        for rows, some in query_blocks((len(query) - side + 1) // 2, pairs, _BLOCK):
            chosen = slice(side + 2 * rows.start, side + 2 * rows.stop, 2)
            part = Query(query.vectors[chosen], query.terms[chosen])
            blocks.append(_Block(part, some, ranker.search(part, some)))
        return cls(blocks, held_out.labels[side::2])


@dataclass(frozen=True)
class _Pairs:
    """What a fusion is shown of some documents: candidates by block, their (P, F) evidence, (P,) which are relevant."""

    found: list[Candidates]
    evidence: FloatArray
    relevance: FloatArray

    @classmethod
    def of(cls, blocks: Iterator[tuple[Candidates, FloatArray]], names: tuple[str, ...], labels: Csr) -> _Pairs:
        """From candidates and their evidence, block after block of documents with these labels."""
        found: list[Candidates] = []

        def columns() -> Iterator[FloatArray]:
            for these, own in blocks:
                found.append(these)
                yield own

        evidence = stacked(columns(), len(names), np.float32)
        return cls(found, evidence, np.concatenate(_relevant(found, labels)))

    @property
    def columns(self) -> list[FloatArray]:
        """The evidence by block."""
        return np.split(self.evidence, self._cuts)

    @property
    def relevant(self) -> list[FloatArray]:
        """Which are relevant, by block."""
        return np.split(self.relevance, self._cuts)

    @property
    def _cuts(self) -> IntArray:
        return np.cumsum([len(part.labels) for part in self.found])[:-1]


def fit_ranker(
    scorer: LabelScorer,
    profile: LabelProfile,
    linear: LinearRanker | None,
    neighbours: Neighbours | None,
    query: Query,
    prepared: Prepared,
    recipe: Recipe,
    log: EventLog,
) -> tuple[Ranker, HeldOut, dict[str, float | None]]:
    """Fit first and final fusion, and score the held-out documents.

    The final one must see first probabilities of documents that the first fusion was not fitted on, or it learns to
    trust them too far. So each half of the held-out documents gets them from a fusion fitted on the other half; the
    one that answers is fitted on all. Likewise the scores that calibration, thresholds and the figures of quality rest
    on are those of a last fusion fitted on the other half: of its own documents it would promise too much.

    Args:
        scorer: Dense side and tree.
        profile: What else is known of the labels.
        linear: The linear ranker, where the recipe has one.
        neighbours: The train documents that vote, likewise.
        query: The H held-out documents.
        prepared: The data.
        recipe: Settings.
        log: Told of both.

    Returns:
        The ranker, the best candidates of the held-out documents, and its quality on these: for comparing recipes, not
        for reports, as they picked the epoch and were shown to the first fusion.
    """
    config, seed = recipe.rank, recipe.seed
    support = _support(prepared.train, recipe)
    ranker = Ranker(
        scorer, profile, prepared.graph.normalized, support, config, prepared.train.n_documents, linear,
        neighbours=neighbours,
    )  # fmt: skip
    log("stage", name="fusion", epochs=1, steps=2)
    halves = [_Half.of(ranker, query, prepared.held_out, side) for side in (0, 1)]
    shown = [_first_pairs(ranker, half) for half in halves]
    fit = partial(fit_fusion, config=config, seed=seed)
    # The first of two judges most pairs, and half the units of its second layer do as well.
    inner = max(1, config.hidden // 2) if ranker.uses_graph else config.hidden
    first, others = _crosswise(partial(fit, names=ranker.first_columns, inner=inner), shown, config.steps)
    log("step", log=False, stage="fusion", epoch=1, step=1, loss=0.0)
    ranker = ranker.refitted(first=first)
    if ranker.uses_graph:
        told = [_final_pairs(ranker.refitted(first=f), half) for f, half in zip(others, halves, strict=True)]
        final, others = _crosswise(partial(fit, names=ranker.final_columns), told, config.steps)
        ranker = ranker.refitted(first=first, final=final)
        # Scores are to be on the scale of answers, whose first fusion is that of both halves: the others are more sure
        # of themselves. That it has seen these documents hardly shows after a final fusion that has not.
        shown = [_final_pairs(ranker, half) for half in halves]
    log("step", log=False, stage="fusion", epoch=1, step=2, loss=0.0)
    found = [one for side in shown for one in side.found]
    logits = [network.logits(some) for network, side in zip(others, shown, strict=True) for some in side.columns]
    relevant = [one for side in shown for one in side.relevant]
    calibration = fit_calibration(found, logits, relevant, ranker.rarity)
    kept = held_out_best(found, logits, relevant, ranker.rarity, profile.frequencies, ranker.n_documents)
    ranker = ranker.refitted(first=first, final=ranker.final, calibration=calibration)
    return ranker, kept, _quality(ranker, found, logits, prepared)


def _crosswise(
    fit: Callable[..., FusionNetwork], shown: list[_Pairs], steps: int
) -> tuple[FusionNetwork, list[FusionNetwork]]:
    """A fusion of both halves, and for each half one fitted on the other; that of both where a half cannot teach.

    Args:
        fit: Fits a fusion to evidence and relevance.
        shown: Both halves.
        steps: Of the fusion of both; the others take the share that their pairs are, and so see each as often.
    """
    every = stacked((side.evidence for side in shown), shown[0].evidence.shape[1], np.float32)
    lessons = [(every, np.concatenate([side.relevance for side in shown]))]
    if all(side.relevance.any() for side in shown):
        lessons += [(side.evidence, side.relevance) for side in reversed(shown)]
    fitted: dict[int, FusionNetwork] = {}

    def learn(start: int, stop: int) -> None:
        for number in range(start, stop):
            evidence, relevance = lessons[number]
            fitted[number] = fit(evidence, relevance, steps=max(1, round(steps * len(evidence) / len(every))))

    # Matrices as small as these cost two threads more in waiting for each other than they gain: one for each network.
    with threadpool_limits(1, user_api="blas"):
        in_parts(len(lessons), 1, learn)
    return fitted[0], [fitted.get(1, fitted[0]), fitted.get(2, fitted[0])]


def uncounted(ranker: Ranker) -> Ranker:
    """The ranker without what `complete` makes anew: both at a time would take twice the room."""
    profile = replace(ranker.profile, centroids=np.empty((0, 0), dtype=np.float32))
    return replace(ranker, profile=profile, linear=None, neighbours=None)


def complete(ranker: Ranker, documents: FloatArray, prepared: Prepared, recipe: Recipe) -> Ranker:
    """Let the held-out documents count, now that the fusion is fitted.

    What is counted and not trained by steps is made anew from all documents: frequencies, centroids, linear ranker,
    support graph and the documents that vote. On documents that none of these had seen, this gives more than the
    fusion loses by evidence that is a little better than what it was fitted on.

    Args:
        ranker: The fitted ranker, or what `uncounted` left of it.
        documents: (N + H, d) vectors of train and held-out documents.
        prepared: The data.
        recipe: Settings.
    """
    together = all_documents(prepared)
    rows = (prepared.rows, prepared.held_out_rows)
    # Not by the number of documents, which may have grown since the fusion learned to see votes, or to do without.
    votes = ranker.first is not None and set(VOTE_COLUMNS) <= set(ranker.first.columns)
    return replace(
        ranker,
        profile=label_profile(documents, together.labels, ranker.profile.terms, recipe.rank),
        linear=build_linear(ranker.scorer.tree, rows, together, prepared.features, recipe),
        neighbours=build_neighbours(documents, together, recipe) if votes else None,
        support=_support(together, recipe),
        n_documents=together.n_documents,
    )


def _support(documents: Dataset, recipe: Recipe) -> Csr:
    graph = build_label_graph(
        documents.labels, recipe.rank.support, given=documents.label_edges, seed=recipe.seed
    )
    return coarse_matrix(graph.adjacency)


def _first_pairs(ranker: Ranker, half: _Half) -> _Pairs:
    """The shortlists of some documents."""
    found = ((block, ranker.shortlist(block.query, block.hidden, block.search)) for block in half.blocks)
    blocks = ((these, ranker.first_pass(block.query, these, block.search.votes)) for block, these in found)
    return _Pairs.of(blocks, ranker.first_columns, half.labels)


def _final_pairs(ranker: Ranker, half: _Half) -> _Pairs:
    """All candidates, with the evidence of the graph."""
    evidence = (ranker.weigh(block.query, block.hidden, block.search) for block in half.blocks)
    blocks = ((part.found, part.columns) for part in evidence)
    return _Pairs.of(blocks, ranker.final_columns, half.labels)


def _quality(
    ranker: Ranker, found: list[Candidates], logits: list[FloatArray], prepared: Prepared
) -> dict[str, float | None]:
    """Metrics of the held-out documents from the logits of their candidates, one half after the other."""
    held_out, n_labels = prepared.held_out, prepared.train.n_labels
    lifted = (own + ranker.boost[these.labels] for these, own in zip(found, logits, strict=True))
    ranked = [these.rank(own, n_labels, _DEPTH) for these, own in zip(found, lifted, strict=True)]
    numbers = np.arange(held_out.n_documents)
    place = np.argsort(np.concatenate([numbers[::2], numbers[1::2]]))
    ranking = Ranking.stack(ranked, _DEPTH)
    return evaluate(
        Ranking(ranking.indices[place], ranking.scores[place]), held_out.labels, prepared.frequencies,
        prepared.train.n_documents, filter_pairs=held_out.filter_pairs,
    ).metrics  # fmt: skip


def _relevant(found: list[Candidates], labels: Csr) -> list[FloatArray]:
    """Which candidates of the blocks are relevant."""
    if not sum(len(part.labels) for part in found):
        raise TrainingError("no candidates were found for the held-out documents")
    ends = np.cumsum([len(part.indptr) - 1 for part in found])
    return [look_up(labels[end - len(part.indptr) + 1 : end], part) for part, end in zip(found, ends, strict=True)]
