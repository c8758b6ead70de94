from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.data.importing.split import choose_test
from eclare_py.types import Csr, as_csr


def long_tail(n_documents: int, n_labels: int, seed: int) -> tuple[list[str], Csr]:
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_labels + 1)
    rows = [rng.choice(n_labels, size=rng.integers(1, 4), replace=False, p=popularity / popularity.sum())
            for _ in range(n_documents)]  # fmt: skip
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate(rows)
    labels = sp.csr_array((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=(n_documents, n_labels))
    return [f"text {number}" for number in range(n_documents)], as_csr(labels)


@pytest.mark.parametrize(("keep", "seed"), [(1, 0), (1, 1), (3, 0)])
def test_labels_keep_documents_in_train(keep: int, seed: int) -> None:
    texts, labels = long_tail(900, 300, seed)
    test = choose_test(texts, labels, share=0.2, keep=keep, seed=seed)
    total = np.asarray(labels.sum(axis=0)).ravel()
    train = np.asarray(labels[~test].sum(axis=0)).ravel()
    assert np.all(train >= np.minimum(total, keep))
    assert np.all(train[(total > 0) & (total <= keep)] == total[(total > 0) & (total <= keep)])
    assert test.sum() == 180
    heads = total > 60
    shares = 1 - train[heads] / total[heads]
    assert np.all(np.abs(shares - 0.2) < 0.15)


def test_by_hand() -> None:
    labels = as_csr(np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32))
    test = choose_test(list("abcd"), labels, share=0.9)
    # Label 2 has one document; of labels 0 and 1 one each must stay: either {a, c} go, or one of a, b, c alone.
    assert not test[3]
    assert test.tolist() in ([True, False, True, False], [False, True, False, False])


def test_other_rows_and_another_order_hardly_change_the_choice() -> None:
    texts, labels = long_tail(600, 40, 3)
    first = {text for text, chosen in zip(texts, choose_test(texts, labels, share=0.25), strict=True) if chosen}
    order = np.random.default_rng(1).permutation(600)
    turned = choose_test([texts[row] for row in order], as_csr(labels[order]), share=0.25)
    assert {texts[row] for row in order[turned]} == first
    more = choose_test(texts + ["new 1", "new 2"], as_csr(sp.vstack([labels, labels[:2]])), share=0.25)
    assert len({text for text, chosen in zip(texts, more, strict=False) if chosen} ^ first) <= 6
    other = choose_test(texts, labels, share=0.25, seed=1)
    assert {text for text, chosen in zip(texts, other, strict=True) if chosen} != first


def test_equal_texts_stay_together() -> None:
    _, labels = long_tail(300, 20, 4)
    texts = [f"text {number % 70}" for number in range(300)]
    test = choose_test(texts, labels, share=0.3)
    assert not {t for t, chosen in zip(texts, test, strict=True) if chosen} & {
        t for t, chosen in zip(texts, test, strict=True) if not chosen
    }
    assert 70 <= test.sum() <= 90


def test_no_share_and_documents_without_labels() -> None:
    labels = as_csr(sp.csr_array((5, 2), dtype=np.float32))
    assert not choose_test(list("abcde"), labels, share=0.0).any()
    assert choose_test(list("abcde"), labels, share=0.4).sum() == 2
