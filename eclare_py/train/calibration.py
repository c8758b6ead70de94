"""Fitting the calibration on held-out documents, and keeping what thresholds are chosen from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eclare_py.rank.calibration import Calibration
from eclare_py.rank.candidates import Candidates
from eclare_py.rank.held_out import DEPTH, HeldOut
from eclare_py.types import FloatArray, IntArray

BOOSTS = (0.0, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0)
_ROUNDS = 25  # most Newton steps


def fit_calibration(
    found: list[Candidates], logits: list[FloatArray], relevant: list[FloatArray], rarity: FloatArray
) -> Calibration:
    """One line per lift, by logistic regression on the labels that this lift ranks first (Platt, 1999).

    Args:
        found: Candidates of blocks of documents.
        logits: Their fused logits without lift.
        relevant: Whether each is relevant.
        rarity: (L,) ln(1 / propensity).
    """
    lines = []
    for boost in BOOSTS:
        xs, ys = [], []
        for these, own, truth in zip(found, logits, relevant, strict=True):
            lifted = own + np.float32(boost) * rarity[these.labels]
            chosen: IntArray = these.best(lifted, DEPTH)
            xs.append(lifted[chosen])
            ys.append(truth[chosen])
        lines.append(fit_line(np.concatenate(xs), np.concatenate(ys)))
    slopes, offsets = np.array(lines, dtype=np.float32).T
    return Calibration(np.array(BOOSTS, dtype=np.float32), np.maximum(slopes, np.float32(0.05)), offsets)


def held_out_best(
    found: list[Candidates],
    logits: list[FloatArray],
    relevant: list[FloatArray],
    rarity: FloatArray,
    frequencies: IntArray,
    n_documents: int,
) -> HeldOut:
    """The candidates that are among the best of their document at any lift.

    Args:
        found: Candidates of blocks of documents.
        logits: Their fused logits without lift.
        relevant: Whether each is relevant.
        rarity: (L,) ln(1 / propensity).
        frequencies: (L,) train documents of each label, without the held-out ones.
        n_documents: Train documents in all.
    """
    kept = []
    for these, own in zip(found, logits, strict=True):
        best = [these.best(own + np.float32(boost) * rarity[these.labels], DEPTH) for boost in BOOSTS]
        kept.append(np.unique(np.concatenate(best)))
    parts = [these.select(chosen) for these, chosen in zip(found, kept, strict=True)]
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    return HeldOut(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([own[chosen] for own, chosen in zip(logits, kept, strict=True)]),
        np.concatenate([truth[chosen] for truth, chosen in zip(relevant, kept, strict=True)]) > 0,
        frequencies[np.concatenate([part.labels for part in parts])],
        n_documents,
    )


def fit_line(logits: FloatArray, relevant: FloatArray) -> tuple[float, float]:
    """Slope and offset of the logistic regression of (P,) relevant on (P,) logits, see `fit_mixture`."""
    # A little pull to (1, 0), so that a handful of documents without a relevant label cannot send it anywhere.
    (slope,), offset = fit_mixture(logits[:, None], relevant, start=(1.0, 0.0), ridge=1e-3)
    return float(slope), offset


def fit_mixture(
    evidence: FloatArray, relevant: np.ndarray, *, start: Sequence[float] = (1.0, 1.0, 0.0, 0.0), ridge: float = 1.0
) -> tuple[FloatArray, float]:
    """Weights (F,) and offset of the logistic regression of (P,) relevant on (P, F) evidence, by Newton steps.

    The ridge pulls towards the start, weights and offset; by default the product of both scores, which is what ELIAS++
    ranks by.
    """
    x = np.concatenate([evidence, np.ones((len(evidence), 1))], axis=1).astype(np.float64)
    line, target = np.array(start), np.array(start)
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(x @ line, -30, 30)))
        gradient = x.T @ (chance - relevant) + ridge * (line - target)
        hessian = (x * (chance * (1 - chance))[:, None]).T @ x + ridge * np.eye(len(line))
        step = np.linalg.solve(hessian, gradient)
        line -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-7:
            break
    return line[:-1].astype(np.float32), float(np.float32(line[-1]))
