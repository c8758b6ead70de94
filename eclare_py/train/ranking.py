"""The last stage: fit the fusion on the held-out documents and put the ranker together."""

from __future__ import annotations

import dataclasses

import numpy as np

from eclare_py.errors import TrainingError
from eclare_py.graph.build import build_label_graph
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.result import Evaluation
from eclare_py.rank.candidates import Candidates, look_up
from eclare_py.rank.evidence import FIRST_COLUMNS, LabelProfile
from eclare_py.rank.query import Query
from eclare_py.rank.ranker import Evidence, LabelScorer, Ranker, query_blocks
from eclare_py.train.events import EventLog
from eclare_py.train.fusion import fit_fusion
from eclare_py.train.prepare import Prepared
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray

_BLOCK = 512


def fit_ranker(
    scorer: LabelScorer, profile: LabelProfile, query: Query, prepared: Prepared, recipe: Recipe, log: EventLog
) -> Ranker:
    """Fit first and final fusion.

    The final one sees first probabilities of held-out documents. The first fusion has seen these documents' labels, but
    with some ten inputs and many thousand pairs what it could remember of one document is nothing.

    Args:
        scorer: Dense side and tree.
        profile: What else is known of the labels.
        query: The H held-out documents.
        prepared: The data.
        recipe: Settings.
        log: Told of both.
    """
    config, held_out = recipe.rank, prepared.held_out
    support = build_label_graph(prepared.train.labels, config.support, seed=recipe.seed).adjacency
    ranker = Ranker(scorer, profile, prepared.graph.normalized, support, config, prepared.train.n_documents)
    blocks = [(query.part(rows), pairs) for rows, pairs in query_blocks(len(query), held_out.filter_pairs, _BLOCK)]
    log("stage", name="fusion", epochs=1, steps=2)
    found = [ranker.shortlist(part, pairs) for part, pairs in blocks]
    columns = np.concatenate([ranker.first_pass(part, these) for (part, _), these in zip(blocks, found, strict=True)])
    first = fit_fusion(columns, _relevant(found, held_out.labels), names=FIRST_COLUMNS, config=config, seed=recipe.seed)
    log("step", log=False, stage="fusion", epoch=1, step=1, loss=0.0)
    ranker = dataclasses.replace(ranker, first=first)
    if ranker.uses_graph:
        evidence: list[Evidence] = [ranker.evidence(part, pairs) for part, pairs in blocks]
        relevant = _relevant([part.found for part in evidence], held_out.labels)
        final = fit_fusion(
            np.concatenate([part.columns for part in evidence]),
            relevant,
            names=ranker.final_columns,
            config=config,
            seed=recipe.seed,
        )
        ranker = dataclasses.replace(ranker, final=final)
    log("step", log=False, stage="fusion", epoch=1, step=2, loss=0.0)
    return ranker


def validate(ranker: Ranker, query: Query, prepared: Prepared) -> Evaluation:
    """Quality on the held-out documents, on which the fusion was fitted too: for comparing recipes, not for reports."""
    held_out = prepared.held_out
    ranking = ranker.rank(query, 100, held_out.filter_pairs)
    return evaluate(
        ranking, held_out.labels, prepared.frequencies, prepared.train.n_documents, filter_pairs=held_out.filter_pairs
    )


def _relevant(found: list[Candidates], labels: Csr) -> FloatArray:
    parts, start = [], 0
    for part in found:
        size = len(part.indptr) - 1
        parts.append(look_up(labels[start : start + size], part))
        start += size
    if not sum(map(len, parts)):
        raise TrainingError("no candidates were found for the held-out documents")
    return np.concatenate(parts)
