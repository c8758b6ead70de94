"""Scores per document: against a loop, what they add up to, the fingerprint, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import DataError, UsageError
from eclare_py.metrics import METRICS, DocumentScores, document_scores, evaluate, open_trial, read_document_scores
from eclare_py.metrics.document_scores import PARTS, WHOLE, default_cells
from eclare_py.metrics.per_document import ALL, unpaired
from eclare_py.metrics.rare import ranges
from eclare_py.types import Csr, Ranking, as_csr
from tests.metrics.naive import Problem, inverse_of, problem, rows_of, sums

EDGES = (0, 1, 2, 5, 10)
KS = (1, 2, 3, 5, 10, 100)


def scores_of(case: Problem, k: int = 20, **options: Any) -> DocumentScores:
    return document_scores(Ranking.from_csr(case.scores, k), case.truth, case.frequencies, case.n_train, **options)


def test_1000_random_problems_agree_with_the_loop() -> None:
    bins = ranges(EDGES)
    seen = np.zeros(4, dtype=np.int64)
    for seed in range(1000):
        case = problem(seed)
        k, one = KS[seed % len(KS)], bins[(seed + seed // len(KS)) % len(bins)]  # each k meets each bin
        inside = set(np.flatnonzero(one.mask(case.frequencies)).tolist())
        cells = [(f"{name}@{k}", ALL) for name in WHOLE] + [(f"{name}@{k}", one.name) for name in PARTS]
        got = scores_of(case, filter_pairs=case.pairs, cells=cells, edges=EDGES)
        rows, w = rows_of(case), inverse_of(case)
        tail = {label for label, f in enumerate(case.frequencies) if f <= 5}
        for place, (metric, where) in enumerate(cells):
            name = metric.partition("@")[0]
            among = tail if name == "tail_R" else None if where == ALL else inside
            want = np.array([sums(name, k, ranked, truth, w, among) for ranked, truth in rows], dtype=np.float64)
            np.testing.assert_allclose(got.gained[place], want[:, 0], rtol=0, atol=1e-9, err_msg=f"{metric} {seed}")
            np.testing.assert_allclose(got.possible[place], want[:, 1], rtol=0, atol=1e-9, err_msg=f"{metric} {seed}")
        lengths = [len(ranked) for ranked, _ in rows]
        seen += [min(lengths) < k, 0 in lengths, any(not truth for _, truth in rows), len(set(case.scores.data)) < 3]
    assert (seen > 50).all()  # short and empty rows, documents without labels, hardly any scores that are not ties


def test_the_figures_of_an_evaluation_are_those_of_its_documents() -> None:
    for seed in (3, 14, 15):
        case = problem(seed)
        ranking = Ranking.from_csr(case.scores, 20)
        result = evaluate(ranking, case.truth, case.frequencies, case.n_train, filter_pairs=case.pairs)
        scores = scores_of(case, filter_pairs=case.pairs)
        assert scores.cells == default_cells() and scores.n_documents == len(ranking)
        figures = dict(zip(scores.cells, scores.figures().tolist(), strict=True))
        kept = [name for name in METRICS if (name, ALL) in figures]
        assert set(METRICS) - set(kept) == {"coverage@10", "tail_coverage@10", "macro_F1@5"}
        assert [result.metrics[name] for name in kept] == pytest.approx([figures[name, ALL] for name in kept], abs=1e-4)
        for one in result.bins:
            for name in ("R@10", "R@100"):
                value = one.metrics[name]
                assert np.isnan(figures[name, one.name]) if value is None else value == pytest.approx(
                    figures[name, one.name], abs=1e-4
                )  # fmt: skip


def test_the_ranges_add_up_to_the_whole() -> None:
    case = problem(8)
    scores = scores_of(case, cells=[("P@5", ALL), ("PSP@5", ALL), *default_cells()[-14:]])
    assert {where for _, where in scores.cells[2:]} == {one.name for one in ranges()}
    figures = scores.figures()
    assert figures[2:9].sum() == pytest.approx(figures[0]) and figures[9:].sum() == pytest.approx(figures[1])
    cells = [(f"{name}_share@5", one.name) for name in ("P", "PSP") for one in ranges()]
    shares = scores_of(case, cells=cells).figures()
    assert shares[:7].tolist() == pytest.approx((100 * figures[2:9] / figures[0]).tolist())
    assert shares[7:].tolist() == pytest.approx((100 * figures[9:] / figures[1]).tolist())
    assert figures[0] > 0 and 0 < shares.max() < 100


def test_propensity_scores_make_up_for_labels_that_are_missing() -> None:
    """Of the true labels only some are written down: the raw scores come out, in the mean, as on the true ones."""
    rng = np.random.default_rng(0)
    truth = rng.random((60, 12)) < 0.4
    ranking = Ranking.from_csr(as_csr(rng.random((60, 12)) + 0.1), 12)
    frequencies = np.arange(12) * 5
    complete = document_scores(ranking, as_csr(truth), frequencies, 400, cells=[("P@5", ALL), ("micro_R@5", ALL)])
    inverse = 1 + (np.log(400) - 1) * 2.5**0.55 * (frequencies + 1.5) ** -0.55
    cells = [("PSP_raw@5", ALL), ("micro_PSR@5", ALL), ("P@5", ALL)]
    draws = [
        document_scores(ranking, as_csr(truth & (rng.random(truth.shape) < 1 / inverse)), frequencies, 400, cells=cells)
        for _ in range(300)
    ]
    raw, micro, plain = np.mean([draw.figures() for draw in draws], axis=0)
    assert [raw, micro] == pytest.approx(complete.figures().tolist(), rel=0.02)
    assert plain < 0.7 * raw


def test_the_fingerprint_is_of_the_test_set_alone() -> None:
    case = problem(8)
    first = scores_of(case, filter_pairs=case.pairs).test_set
    assert len(first) == 16 and int(first, 16) >= 0
    again = replace(case, scores=case.scores * 2, truth=case.truth * 3)
    assert scores_of(again, 3, filter_pairs=case.pairs[::-1], tail=1, cells=[("P@1", ALL)]).test_set == first
    fewer = case.truth.copy()
    fewer.data[0] = 0
    wider = as_csr(np.hstack([case.truth.toarray(), np.zeros((case.truth.shape[0], 1))]))
    more = document_scores(
        Ranking.from_csr(case.scores, 3), wider, [*case.frequencies, 0], case.n_train, filter_pairs=case.pairs
    )
    assert more.test_set == first  # a label that no document has says nothing of the test set
    others = [
        scores_of(case).test_set,
        scores_of(replace(case, truth=fewer), filter_pairs=case.pairs).test_set,
    ]
    assert len({first, *others}) == 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_fingerprints_are_by_name_whatever_the_order_of_labels(seed: int) -> None:
    case, random = problem(seed), np.random.default_rng(seed)
    n = len(case.frequencies)
    names = [f"label {row}" for row in range(n)]
    new = random.permutation(n + 2)  # two labels more, and all in another order
    old = np.argsort(new)
    truth = as_csr(np.pad(case.truth.toarray(), ((0, 0), (0, 2)))[:, old])
    pairs = np.stack([case.pairs[:, 0], new[case.pairs[:, 1]]], axis=1)
    wide, frequencies = [*names, "x", "y"], np.append(case.frequencies, [3, 0])
    first = open_trial(Ranking.from_csr(case.scores, 5), case.truth, case.frequencies, case.n_train,
                       filter_pairs=case.pairs, names=names)  # fmt: skip
    scores = as_csr(np.pad(case.scores.toarray(), ((0, 0), (0, 2)))[:, old])
    again = open_trial(Ranking.from_csr(scores, 5), truth, frequencies[old], case.n_train,
                       filter_pairs=pairs, names=[wide[row] for row in old])  # fmt: skip
    assert (again.test_set, again.basis) == (first.test_set, first.basis)
    if case.truth.nnz:
        label = int(first.judged.labels.indices[0])
        other = replace(first, names=[*names[:label], "another", *names[label + 1 :]])
        assert other.test_set != first.test_set
        counted = case.frequencies.copy()
        counted[label] = (counted[label] + 1) % case.n_train
        moved = replace(first, frequencies=counted)
        assert moved.test_set == first.test_set and moved.basis != first.basis


def test_files_of_earlier_versions_are_read_and_told_apart(tmp_path: Path) -> None:
    new = scores_of(problem(8))
    new.save(tmp_path / "new.npz")
    again = read_document_scores(tmp_path / "new.npz")
    assert (again.test_set, again.basis) == (new.test_set, new.basis) and again.basis
    arrays = {"cells": np.asarray(new.cells), "gained": new.gained, "possible": new.possible}
    np.savez(tmp_path / "old.npz", **arrays, test_set=np.asarray("0123"))
    old = read_document_scores(tmp_path / "old.npz")
    assert (old.test_set, old.basis) == ("0123", "")
    assert unpaired(new, again) == "" and unpaired(old, old) == ""
    assert "one is of an earlier version" in unpaired(new, old) and "evaluate both again" in unpaired(old, new)
    assert "labels are in another order: evaluate both again" in unpaired(old, replace(old, test_set="4567"))
    assert "eclare labels add" in unpaired(new, replace(new, test_set="4567"))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (("Q@5", ALL), "no metric 'Q@5' over 'all': choose NAME@k of P, nDCG"),
        (("P", ALL), "no metric 'P'"),
        (("P@0", ALL), "no metric 'P@0'"),
        (("P@five", ALL), "no metric"),
        (("nDCG@5", "2"), "no metric 'nDCG@5' over '2': choose NAME@k of R, P, PSP"),
        (("R@5", "7-8"), "no range of frequency '7-8': choose of unseen, 1, 2, 3-5, 6-10, 11-100, >100"),
    ],
)
def test_unknown_cells_are_refused(cell: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scores_of(problem(1), cells=[cell])


def test_what_does_not_fit_is_refused() -> None:
    case = problem(1)
    with pytest.raises(DataError, match="the test set has"):
        document_scores(Ranking.empty(len(case.truth.indptr), 3), case.truth, case.frequencies, case.n_train)
    with pytest.raises(DataError, match="nothing to evaluate"):
        document_scores(Ranking.empty(0, 3), Csr((0, 2), dtype=np.float32), [0, 0], 5)
