"""The metrics from their definitions, for one document at a time: what the fast ones must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2

import numpy as np
import scipy.sparse as sp

from eclare_py.types import Csr, as_csr


@dataclass(frozen=True)
class Problem:
    """Scores (N, L) with ties and empty rows, truth with empty rows and columns, train frequencies, filter pairs."""

    scores: Csr
    truth: Csr
    frequencies: np.ndarray
    n_train: int
    pairs: np.ndarray


def problem(seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    n, n_labels, n_train = int(rng.integers(1, 14)), int(rng.integers(2, 17)), int(rng.integers(3, 90))
    draw = {"rng": rng, "format": "csr", "data_sampler": lambda size: rng.integers(1, 4, size)}
    scores = as_csr(sp.random_array((n, n_labels), density=rng.random(), **draw))
    truth = as_csr(sp.random_array((n, n_labels), density=0.6 * rng.random(), **draw) > 0)
    pairs = np.stack([rng.integers(0, n, 6), rng.integers(0, n_labels, 6)], axis=1)
    return Problem(scores, truth, rng.integers(0, min(n_train, 30), n_labels), n_train, np.unique(pairs, axis=0))


def rows_of(case: Problem) -> list[tuple[list[int], set[int]]]:
    """The ranking of each document, filter pairs dropped, and its relevant labels."""
    dropped = {tuple(pair) for pair in case.pairs.tolist()}
    rows = []
    for i, (values, relevant) in enumerate(zip(case.scores.toarray(), case.truth.toarray(), strict=True)):
        order = sorted((-v, j) for j, v in enumerate(values) if v > 0 and (i, j) not in dropped)
        rows.append(([j for _, j in order], {j for j, v in enumerate(relevant) if v > 0}))
    return rows


def inverse_of(case: Problem) -> list[float]:
    c = (log(case.n_train) - 1) * 2.5**0.55
    return [1 + c * (f + 1.5) ** -0.55 for f in case.frequencies.tolist()]


def sums(
    name: str, k: int, ranked: list[int], truth: set[int], w: list[float], among: set[int] | None = None
) -> tuple[float, float]:
    """What one document adds above and below the line; over the labels `among`, where given."""
    top, size, chosen = ranked[:k], len(truth), set(range(len(w))) if among is None else among
    hits = [(rank, label) for rank, label in enumerate(top, start=1) if label in truth]
    mine = [label for _, label in hits if label in chosen]
    greatest = sorted((w[label] for label in truth), reverse=True)[:k]
    disc = [1 / log2(rank + 1) for rank in range(1, k + 1)]
    ideal = sum(disc[: min(k, size)])
    gain, dcg = sum(w[label] for _, label in hits), sum(w[label] * disc[rank - 1] for rank, label in hits)
    if name in ("micro_R", "tail_R") or (name == "R" and among is not None):
        return len(mine), len(truth & chosen)
    return {
        "P": lambda: (len(mine) / k, 1),
        "nDCG": lambda: (sum(disc[rank - 1] for rank, _ in hits) / ideal if size else 0, 1),
        "R": lambda: (len(hits) / size if size else 0, 1),
        "hit": lambda: (float(len(hits) > 0), 1),
        "MRR": lambda: (1 / hits[0][0] if hits else 0, 1),
        "micro_F1": lambda: (2 * len(mine), len(set(top) & chosen) + len(truth & chosen)),
        "PSP": lambda: (sum(w[label] for label in mine), sum(greatest)),
        "PSP_raw": lambda: (gain / k, 1),
        "PSnDCG": lambda: (
            (dcg / ideal, sum(v * d for v, d in zip(greatest, disc, strict=False)) / ideal) if size else (0, 0)
        ),
        "PSnDCG_raw": lambda: (dcg / ideal if size else 0, 1),
        "PSDCG": lambda: (dcg / sum(disc), 1),
        "PSR": lambda: (gain / size, sum(greatest) / size) if size else (0, 0),
        "PSR_raw": lambda: (gain / size if size else 0, 1),
        "micro_PSR": lambda: (gain, sum(w[label] for label in truth)),
        "P_share": lambda: (len(mine), len(hits)),
        "PSP_share": lambda: (sum(w[label] for label in mine), gain),
    }[name]()
