"""How long does an evaluation of a million documents take, and how much memory?

    python experiments/metrics_speed.py
    python experiments/metrics_speed.py --documents 200000 --labels 100000 --json build/metrics_speed.json

Predictions and truth are made up: labels that are rarer the higher their number, four relevant ones a document, half of
them ranked somewhere. Timed is all that `eclare evaluate --json` measures of a ranking: the hits, every figure of the
result, and the scores of each document. Memory is the peak of the process; the predictions alone are 12 bytes a slot.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from eclare_py.metrics.document_scores import score_documents
from eclare_py.metrics.evaluate import evaluate_trial
from eclare_py.metrics.trial import open_trial
from eclare_py.types import Csr, Ranking, as_csr

RELEVANT = 4  # relevant labels of a document, before repeated ones are merged


def main() -> None:
    """Measure, show, write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--ranked", type=int, default=100, help="labels ranked of a document [100]")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    ranking = rankings(rng, options.documents, options.labels, options.ranked)
    truth = truths(rng, ranking, options.labels)
    frequencies = np.minimum(rng.zipf(1.6, options.labels), options.documents)
    figures = {"documents": options.documents, "labels": options.labels, "ranked": options.ranked}
    figures["test_pairs"], figures["peak_GB_before"] = int(truth.nnz), peak()
    started = time.perf_counter()
    trial = open_trial(ranking, truth, frequencies, options.documents)
    figures["hits_seconds"] = round(time.perf_counter() - started, 2)
    evaluate_trial(trial)
    figures["evaluation_seconds"] = round(time.perf_counter() - started, 2)
    scores = score_documents(trial)
    figures["all_seconds"], figures["peak_GB"] = round(time.perf_counter() - started, 2), peak()
    figures["cells"] = len(scores.cells)
    print("\n".join(f"{name:<20}{value:,}" for name, value in figures.items()))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def rankings(rng: np.random.Generator, documents: int, labels: int, k: int) -> Ranking:
    """(N, k) different labels in any order, low numbers more often."""
    ids = np.sort((rng.random((documents, k)) ** 3 * (labels - k)).astype(np.int64), axis=1) + np.arange(k)
    return Ranking(rng.permuted(ids, axis=1, out=ids), np.zeros(ids.shape, dtype=np.float32))


def truths(rng: np.random.Generator, ranking: Ranking, labels: int) -> Csr:
    """(N, L) label matrix."""
    rows = np.repeat(np.arange(len(ranking)), RELEVANT)
    ranked = ranking.indices[rows, rng.integers(0, ranking.indices.shape[1], len(rows))]
    relevant = np.where(rng.random(len(rows)) < 0.5, ranked, rng.integers(0, labels, len(rows)))
    return as_csr(sp.coo_array((np.ones(len(rows)), (rows, relevant)), shape=(len(ranking), labels)))


def peak() -> float:
    """Largest memory of this process so far in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


if __name__ == "__main__":
    main()
