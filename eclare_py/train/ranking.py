"""The last stage: fit the fusion on the held-out documents and put the ranker together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.graph.build import build_label_graph
from eclare_py.linear import LinearRanker
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.result import Evaluation
from eclare_py.quantize import half
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.candidates import Candidates, look_up
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import LabelScorer, Ranker, query_blocks
from eclare_py.train.calibration import fit_calibration
from eclare_py.train.events import EventLog
from eclare_py.train.fusion import fit_fusion
from eclare_py.train.indexing import build_linear, label_profile
from eclare_py.train.prepare import Prepared, all_documents
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, IntArray

_BLOCK = 512


@dataclass(frozen=True)
class _Half:
    """Every other held-out document: in blocks with their filter pairs, and the labels of all."""

    blocks: list[tuple[Query, IntArray | None]]
    labels: Csr

    @classmethod
    def of(cls, query: Query, held_out: Dataset, side: int) -> _Half:
        pairs = held_out.filter_pairs[held_out.filter_pairs[:, 0] % 2 == side]
        pairs = np.stack([pairs[:, 0] // 2, pairs[:, 1]], axis=1)
        own = Query(query.vectors[side::2], query.terms[side::2])
        blocks = [(own.part(rows), some) for rows, some in query_blocks(len(own), pairs, _BLOCK)]
        return cls(blocks, held_out.labels[side::2])


def fit_ranker(
    scorer: LabelScorer,
    profile: LabelProfile,
    linear: LinearRanker | None,
    query: Query,
    prepared: Prepared,
    recipe: Recipe,
    log: EventLog,
) -> Ranker:
    """Fit first and final fusion.

    The final one must see first probabilities of documents that the first fusion was not fitted on, or it learns to
    trust them too far. So each half of the held-out documents gets them from a fusion fitted on the other half; the
    one that answers is fitted on all.

    Args:
        scorer: Dense side and tree.
        profile: What else is known of the labels.
        linear: The linear ranker, where the recipe has one.
        query: The H held-out documents.
        prepared: The data.
        recipe: Settings.
        log: Told of both.
    """
    config, seed = recipe.rank, recipe.seed
    support = _support(prepared.train.labels, recipe)
    ranker = Ranker(scorer, profile, prepared.graph.normalized, support, config, prepared.train.n_documents, linear)
    log("stage", name="fusion", epochs=1, steps=2)
    names = ranker.first_columns
    halves = [_Half.of(query, prepared.held_out, side) for side in (0, 1)]
    shown = [_first_pairs(ranker, half) for half in halves]
    columns, relevant = (np.concatenate(parts) for parts in zip(*shown, strict=True))
    first = fit_fusion(columns, relevant, names=names, config=config, seed=seed)
    log("step", log=False, stage="fusion", epoch=1, step=1, loss=0.0)
    ranker = replace(ranker, first=first)
    if ranker.uses_graph:
        others = [first, first]
        if all(part.any() for _, part in shown):
            others = [fit_fusion(*part, names=names, config=config, seed=seed) for part in reversed(shown)]
        told = [_final_pairs(replace(ranker, first=f), half) for f, half in zip(others, halves, strict=True)]
        columns, relevant = (np.concatenate(parts) for parts in zip(*told, strict=True))
        final = fit_fusion(columns, relevant, names=ranker.final_columns, config=config, seed=seed)
        ranker = replace(ranker, final=final)
    log("step", log=False, stage="fusion", epoch=1, step=2, loss=0.0)
    return replace(ranker, calibration=_calibration(ranker, halves))


def complete(ranker: Ranker, documents: FloatArray, prepared: Prepared, recipe: Recipe) -> Ranker:
    """Let the held-out documents count, now that the fusion is fitted.

    What is counted and not trained by steps is made anew from all documents: frequencies, centroids, linear ranker and
    support graph. On documents that neither had seen, this gives more than the fusion loses by evidence that is a
    little better than what it was fitted on.

    Args:
        ranker: The fitted ranker.
        documents: (N + H, d) vectors of train and held-out documents.
        prepared: The data.
        recipe: Settings.
    """
    together = all_documents(prepared)
    rows = (prepared.rows, prepared.held_out_rows)
    return replace(
        ranker,
        profile=label_profile(documents, together.labels, ranker.profile.terms, recipe.rank),
        linear=build_linear(ranker.scorer.tree, rows, together, prepared.features, recipe),
        support=_support(together.labels, recipe),
        n_documents=together.n_documents,
    )


def _support(labels: Csr, recipe: Recipe) -> Csr:
    return half(build_label_graph(labels, recipe.rank.support, seed=recipe.seed).adjacency)


def _calibration(ranker: Ranker, halves: list[_Half]) -> Calibration:
    network = ranker.final if ranker.uses_graph else ranker.first
    assert network is not None
    seen = [[ranker.evidence(part, pairs) for part, pairs in half.blocks] for half in halves]
    found = [[part.found for part in parts] for parts in seen]
    told = [_by_block(these, half.labels) for these, half in zip(found, halves, strict=True)]
    flat = [part for parts in seen for part in parts]
    logits = [network.logits(part.columns) for part in flat]
    return fit_calibration([part.found for part in flat], logits, [one for ones in told for one in ones], ranker.rarity)


def _first_pairs(ranker: Ranker, half: _Half) -> tuple[FloatArray, FloatArray]:
    """Evidence (P, F) of the shortlists of some documents, and (P,) which pairs are relevant."""
    found = [ranker.shortlist(part, pairs) for part, pairs in half.blocks]
    columns = [ranker.first_pass(part, these) for (part, _), these in zip(half.blocks, found, strict=True)]
    return np.concatenate(columns), _relevant(found, half.labels)


def _final_pairs(ranker: Ranker, half: _Half) -> tuple[FloatArray, FloatArray]:
    """The same of all candidates, with the evidence of the graph."""
    evidence = [ranker.evidence(part, pairs) for part, pairs in half.blocks]
    return np.concatenate([part.columns for part in evidence]), _relevant(
        [part.found for part in evidence], half.labels
    )


def validate(ranker: Ranker, query: Query, prepared: Prepared) -> Evaluation:
    """Quality on the held-out documents, on which the fusion was fitted too: for comparing recipes, not for reports."""
    held_out = prepared.held_out
    ranking = ranker.rank(query, 100, held_out.filter_pairs)
    return evaluate(
        ranking, held_out.labels, prepared.frequencies, prepared.train.n_documents, filter_pairs=held_out.filter_pairs
    )


def _relevant(found: list[Candidates], labels: Csr) -> FloatArray:
    parts = _by_block(found, labels)
    if not sum(map(len, parts)):
        raise TrainingError("no candidates were found for the held-out documents")
    return np.concatenate(parts)


def _by_block(found: list[Candidates], labels: Csr) -> list[FloatArray]:
    """Which candidates of the blocks are relevant."""
    ends = np.cumsum([len(part.indptr) - 1 for part in found])
    return [look_up(labels[end - len(part.indptr) + 1 : end], part) for part, end in zip(found, ends, strict=True)]
