"""What every peer's worker shares: reading the data, features, measuring. Runs in the peer's own environment.

Needs numpy, scipy and scikit-learn only; `eclare_py` is not installed there.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

TOP_K, SINGLE, WARM_UP = 100, 500, 20  # labels a document; documents timed one by one; of them not counted


def texts_of(folder: str, part: str) -> list[str]:
    """Title, and content where there is one, of each row."""
    return [" ".join(filter(None, (row["title"], row.get("content")))) for row in _rows(folder, part)]


def labels_of(folder: str, part: str) -> sp.csr_matrix:
    """(N, L) ones."""
    chosen, n_labels = [sorted(set(row["target_ind"])) for row in _rows(folder, part)], len(_rows(folder, "lbl"))
    pointers = np.cumsum([0] + [len(row) for row in chosen])
    columns = np.fromiter((label for row in chosen for label in row), np.int64, pointers[-1])
    return sp.csr_matrix((np.ones(len(columns), np.float32), columns, pointers), shape=(len(chosen), n_labels))


def _rows(folder: str, part: str) -> list[dict[str, Any]]:
    with gzip.open(f"{folder}/{part}.json.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def vectorizer() -> TfidfVectorizer:
    """Words and pairs of words, sublinear: what all peers get."""
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)


class Clock:
    """Wall and processor seconds of this process and its children since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), _cpu()

    def read(self, name: str) -> dict[str, float]:
        """The figures under `name`_wall_s and `name`_cpu_s."""
        return {
            f"{name}_wall_s": round(time.perf_counter() - self.wall, 2),
            f"{name}_cpu_s": round(_cpu() - self.cpu, 2),
        }


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def run(
    train: Callable[[list[str], sp.csr_matrix, str], Any],
    predict: Callable[[Any, list[str], int], sp.csr_matrix],
    size: Callable[[str], float],
    answer: Callable[[Any, str], object] | None = None,
) -> None:
    """Train, predict, time, write scores and figures: worker.py DATA OUT.

    Args:
        train: (texts, labels, folder for the model) -> model; saving is part of it.
        predict: (model, texts, k) -> (n, L) scores, vectoriser included.
        size: Folder -> MB on disk.
        answer: (model, text) -> the 10 best labels of one text as users get them, where that is not by `predict`.
    """
    data, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    texts, labels = texts_of(data, "trn"), labels_of(data, "trn")
    test = texts_of(data, "tst")
    clock = Clock()
    model = train(texts, labels, out)
    figures: dict[str, Any] = clock.read("train")
    figures["train_peak_MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    predict(model, test[:200], TOP_K)
    clock = Clock()
    scores = sp.csr_matrix(predict(model, test, TOP_K))
    figures |= clock.read("predict")
    figures["documents_per_s"] = round(len(test) / figures["predict_wall_s"])
    sp.save_npz(f"{out}/scores.npz", scores)
    seconds = []
    for text in test[:: max(len(test) // SINGLE, 1)][:SINGLE]:
        before = time.perf_counter()
        answer(model, text) if answer else predict(model, [text], 10)
        seconds.append(time.perf_counter() - before)
    seconds = seconds[WARM_UP:]
    figures["p50_ms"], figures["p99_ms"] = (round(1000 * float(np.quantile(seconds, q)), 2) for q in (0.5, 0.99))
    figures["model_MB"] = round(size(out), 1)
    Path(out, "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def megabytes(folder: str, *left_out: str) -> float:
    """Size of all files in a folder but some."""
    files = [file for file in Path(folder).rglob("*") if file.is_file() and file.name not in left_out]
    return sum(file.stat().st_size for file in files) / 1e6
