"""Precision on demand: thresholds of a trained model, and predictions without those that are below."""

from __future__ import annotations

import dataclasses

import numpy as np

from eclare_py.errors import ModelError, UsageError
from eclare_py.metrics.bin_thresholds import BinThresholds, bin_thresholds
from eclare_py.metrics.result import Evaluation
from eclare_py.metrics.score_quality import calibration_section, selective_section
from eclare_py.metrics.selective import CONFIDENCE, Scored
from eclare_py.rank.held_out import DEPTH
from eclare_py.rank.models import Model, method_of
from eclare_py.rank.pipeline import Pipeline
from eclare_py.types import PADDING, BoolArray, Csr, IntArray, Ranking


def held_out_scores(pipeline: Model, k: int = DEPTH) -> Scored | None:
    """The model's scores of its H held-out documents, the k best of each and at most `DEPTH`; None where unknown."""
    if not isinstance(pipeline, Pipeline) or pipeline.held_out is None:
        return None
    ranker = pipeline.ranker
    return pipeline.held_out.scored(ranker.calibration, ranker.config.tail_boost, k)


def choose_thresholds(pipeline: Model, precision: float, k: int = DEPTH) -> BinThresholds | None:
    """Thresholds by label frequency at which the k best labels of documents reach a precision, most likely.

    They are guarded: of the precision on the held-out documents the lower bound at `CONFIDENCE` has to reach it.

    Args:
        pipeline: The model.
        precision: The share of the kept predictions that is to be relevant.
        k: Labels asked for per document. For more than `DEPTH` the thresholds are those for `DEPTH`: what is ranked
            behind is seldom kept.

    Returns:
        None where no threshold reached the precision on the held-out documents.

    Raises:
        UsageError: A precision that is not above 0 and at most 1.
        ModelError: The model has no held-out scores.
    """
    if not 0 < precision <= 1:
        raise UsageError(f"precision={precision} must be above 0 and at most 1")
    scored = held_out_scores(pipeline, k)
    if scored is None:
        method = method_of(pipeline)
        reason = "was saved before there were any" if isinstance(pipeline, Pipeline) else f"is of the method {method}"
        raise ModelError(
            f"this model has no held-out scores to choose a threshold from: it {reason}; train the recipe default or "
            "eclare with this version"
        )
    return bin_thresholds(scored, precision, confidence=CONFIDENCE)


def keep_above(ranking: Ranking, thresholds: BinThresholds | None, frequencies: IntArray) -> Ranking:
    """The ranking with only those predictions that reach the threshold of their label; None keeps nothing.

    Args:
        ranking: (B, k).
        thresholds: By label frequency.
        frequencies: (L,) train documents of each label.
    """
    if thresholds is None:
        return Ranking.empty(*ranking.indices.shape)
    kept = ranking.scores >= thresholds.of(frequencies[ranking.indices])
    scores = np.where(kept, ranking.scores, np.float32(-np.inf))
    order = np.argsort(~kept, axis=1, kind="stable")  # empty places to the end
    indices = np.where(kept, ranking.indices, PADDING)
    return Ranking(np.take_along_axis(indices, order, 1), np.take_along_axis(scores, order, 1))


def automatable(ranking: Ranking, thresholds: BinThresholds | None, frequencies: IntArray) -> BoolArray:
    """(B,) whether the first prediction of each document reaches the threshold of its label; None automates nothing.

    Arguments as in `keep_above`; the thresholds are those of the first predictions, k = 1.
    """
    if thresholds is None or not ranking.indices.shape[1]:
        return np.zeros(len(ranking.indices), dtype=np.bool_)
    found: BoolArray = ranking.scores[:, 0] >= thresholds.of(frequencies[ranking.indices[:, 0]])
    return found


def with_score_quality(
    evaluation: Evaluation, pipeline: Model, ranking: Ranking, labels: Csr
) -> Evaluation:
    """An evaluation with the sections `selective` and `calibration` of the ten best labels of each document.

    Args:
        evaluation: The figures so far.
        pipeline: The model that ranked.
        ranking: (N, at least 10) its answers, less filter pairs.
        labels: (N, L) truth.
    """
    test = Scored.of(ranking.top(DEPTH), labels, pipeline.frequencies)
    return dataclasses.replace(
        evaluation,
        selective=selective_section(test, held_out_scores(pipeline, test.hit.shape[1])),
        calibration=calibration_section(test),
    )
