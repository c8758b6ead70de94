"""Choosing test documents without taking a label's last documents away from train."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from eclare_py.types import BoolArray, Csr, IntArray


def choose_test(
    texts: Sequence[str], labels: Csr, *, share: float, keep: int = 1, seed: int = 0
) -> BoolArray:
    """Choose the test documents.

    Texts are visited in the order of a seeded hash, so that neither the order of the rows nor rows that come later
    stir the choice much. A text goes to the test if each of its labels keeps at least `keep` documents in train (all
    of them, where it has no more than that), until the test has its share. All documents of one text go together. It
    follows that a label of one document stays in train, that every label that has documents has one in train, and that
    the test is as good as a random sample but for texts with a label that is too rare to share.

    Args:
        texts: N texts; equal ones are one.
        labels: (N, L) label matrix.
        share: Of the N documents wanted in the test. It has fewer where labels are too rare.
        keep: Documents of a label that stay in train.
        seed: Another seed gives another choice.

    Returns:
        (N,) mask of the test documents.
    """
    wanted = round(share * len(texts))
    chosen = np.zeros(len(texts), dtype=np.bool_)
    if not wanted:
        return chosen
    groups, order = _groups(texts, seed)
    sizes = np.bincount(groups)
    members = sp.csr_array((np.ones(len(texts), dtype=np.int64), (groups, np.arange(len(texts)))))
    counts = sp.csr_array(members @ sp.csr_array(labels).astype(bool).astype(np.int64))
    left = np.bincount(labels.indices, minlength=labels.shape[1])
    taken, total = np.zeros(len(sizes), dtype=np.bool_), 0
    for group in order.tolist():
        start, end = counts.indptr[group], counts.indptr[group + 1]
        columns, remaining = counts.indices[start:end], left[counts.indices[start:end]] - counts.data[start:end]
        if total + sizes[group] <= wanted and bool(np.all(remaining >= keep)):
            left[columns] = remaining
            taken[group] = True
            total += int(sizes[group])
            if total == wanted:
                break
    return np.asarray(taken[groups], dtype=np.bool_)


def _groups(texts: Sequence[str], seed: int) -> tuple[IntArray, IntArray]:
    """(N,) group of each text, equal texts in one, and the groups in the order of their visit."""
    found: dict[str, int] = {}
    groups = np.fromiter((found.setdefault(text, len(found)) for text in texts), dtype=np.int64, count=len(texts))
    salt = str(seed).encode()
    keys = np.fromiter((_key(text, salt) for text in found), dtype=np.uint64, count=len(found))
    return groups, np.argsort(keys, kind="stable")


def _key(text: str, salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8, salt=salt[:16]).digest(), "big")
