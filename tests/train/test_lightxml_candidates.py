"""Candidates of LightXML's discriminator: by hand, and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.model.lightxml_config import LightXmlConfig
from eclare_py.train.lightxml.candidates import Groups, best_groups, choose, labels_of, settle
from eclare_py.types import Csr, as_csr


def csr(rows: list[list[int]], n_labels: int) -> Csr:
    pairs = [(row, label) for row, labels in enumerate(rows) for label in labels]
    where = tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)
    return as_csr(sp.coo_array((np.ones(len(pairs)), where), shape=(len(rows), n_labels)))


def test_groups_by_hand() -> None:
    groups = Groups.of(np.array([1, 0, 1, 0, 1]))
    np.testing.assert_array_equal(groups.members, [[1, 3, -1], [0, 2, 4]])
    np.testing.assert_array_equal(groups.relevant(csr([[0, 4], [], [3, 2]], 5)), [[0, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(labels_of(groups, np.array([[1, 0]])), [[0, 2, 4, 1, 3, -1]])


def test_own_groups_come_before_better_ones() -> None:
    probabilities = np.array([[0.9, 0.8, 0.1, 0.2], [0.5, 0.6, 0.7, 0.4]], dtype=np.float32)
    own = np.array([[False, False, True, True], [False, False, False, False]])
    np.testing.assert_array_equal(best_groups(probabilities, own, 3), [[3, 2, 0], [2, 1, 0]])
    assert best_groups(probabilities, own, 9).shape == (2, 4)


def test_candidates_by_hand() -> None:
    slots = np.array([[5, 2, 7, -1], [2, 5, -1, 9]])
    # Row 0 misses labels 1 and 9: they take the first two places without a positive, which are those of 5 and 7.
    asked = settle(slots, csr([[1, 2, 9], [5]], 12), csr([[7], [2, 9]], 12))
    np.testing.assert_array_equal(asked.at_hand, [1, 2, 5, 7, 9])
    labels = asked.at_hand[asked.columns]
    np.testing.assert_array_equal(labels[0], [1, 2, 9, 1])
    np.testing.assert_array_equal(labels[1][[0, 1, 3]], [2, 5, 9])
    np.testing.assert_array_equal(asked.positives, [[True, True, True, False], [False, True, False, False]])
    # Padding and filter pairs do not count; a filter pair that a positive replaced does.
    np.testing.assert_array_equal(asked.counted, [[True, True, True, False], [False, True, False, False]])


def test_more_positives_than_places() -> None:
    asked = settle(np.array([[4, 6]]), csr([[0, 4, 5, 8]], 9), csr([[]], 9))
    np.testing.assert_array_equal(asked.at_hand[asked.columns], [[4, 0]])
    assert asked.positives.all() and asked.counted.all()


def naive(slots: np.ndarray, positives: list[set[int]], ignored: list[set[int]]) -> list[list[tuple[int, bool, bool]]]:
    """(label, relevant, counted) of every place, None of them vectorised."""
    rows = []
    for row, own, hidden in zip(slots.tolist(), positives, ignored, strict=True):
        taken = [label in own for label in row]
        for label in sorted(own - set(row)):
            if False in taken:
                place = taken.index(False)
                row[place], taken[place] = label, True
        rows.append([(label, good, label >= 0 and label not in hidden) for label, good in zip(row, taken, strict=True)])
    return rows


@pytest.mark.parametrize("repeats", [False, True])
def test_vectorised_equals_loops(repeats: bool) -> None:
    rng, n_labels = np.random.default_rng(3), 37
    for batch, width in ((1, 5), (6, 11), (13, 30)):
        draw = [rng.choice(n_labels, width, replace=repeats) for _ in range(batch)]
        slots = np.where(rng.random((batch, width)) < 0.1, -1, np.array(draw))
        own = [set(rng.choice(n_labels, rng.integers(0, 8), replace=False).tolist()) for _ in range(batch)]
        hidden = [set(rng.choice(n_labels, 3).tolist()) - one for one in own]
        asked = settle(slots, csr([sorted(o) for o in own], n_labels), csr([sorted(h) for h in hidden], n_labels))
        labels = asked.at_hand[asked.columns]
        for row, expected in enumerate(naive(slots, own, hidden)):
            for place, (label, good, counts) in enumerate(expected):
                assert (asked.positives[row, place], asked.counted[row, place]) == (good, counts)
                assert label < 0 or labels[row, place] == label


@pytest.mark.parametrize("negatives", ["dynamic", "uniform"])
def test_every_document_is_asked_about_its_own_labels(negatives: str) -> None:
    rng, n_labels = np.random.default_rng(2), 60
    groups = Groups.of(np.arange(n_labels) % 12)
    own = [sorted(rng.choice(n_labels, size, replace=False).tolist()) for size in (0, 2, 3, 5)]
    settings = LightXmlConfig(top_groups=5, negatives=negatives)  # type: ignore[arg-type]
    probabilities = rng.random((4, 12), dtype=np.float32)
    asked = choose(groups, settings, probabilities, csr(own, n_labels), csr([[]] * 4, n_labels), rng)
    assert asked.columns.shape == (4, 25) and asked.counted.all()
    labels = asked.at_hand[asked.columns]
    for row, relevant in enumerate(own):
        assert sorted(set(labels[row][asked.positives[row]].tolist())) == relevant
        if negatives == "dynamic":  # whole groups: its own, then the most probable
            own_groups = {label % 12 for label in relevant}
            others = [group for group in np.argsort(-probabilities[row]).tolist() if group not in own_groups]
            assert set((labels[row] % 12).tolist()) == own_groups | set(others[: 5 - len(own_groups)])
