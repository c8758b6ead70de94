"""The evaluation against naive formulas, its properties, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import DataError
from eclare_py.metrics import METRICS, Evaluation, drop_filter_pairs, evaluate, read_evaluation
from eclare_py.metrics.ranking import hits
from eclare_py.report.evaluation import headline_tables, render_html
from eclare_py.types import Csr, Ranking, as_csr
from tests.metrics.naive import Problem, inverse_of, problem, rows_of, sums


def result_of(case: Problem, k: int = 20, **options: Any) -> Evaluation:
    return evaluate(Ranking.from_csr(case.scores, k), case.truth, case.frequencies, case.n_train, **options)


def naive_coverage(rows: list[Any], k: int, labels: set[int]) -> float | None:
    there = {j for _, y in rows for j in y & labels}
    return len({j for r, y in rows for j in r[:k] if j in y} & there) / len(there) if there else None


def naive_f1(rows: list[Any], k: int) -> float | None:
    f1 = []
    for label in {j for _, y in rows for j in y}:
        flags = [(label in r[:k], label in y) for r, y in rows]
        tp, n = sum(a and b for a, b in flags), sum(a + b for a, b in flags)
        f1.append(2 * tp / n)
    return sum(f1) / len(f1) if f1 else None


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_agrees_with_the_naive_formulas(seed: int) -> None:
    case = problem(seed)
    rows, everything = rows_of(case), set(range(len(case.frequencies)))
    rare = {j for j in everything if case.frequencies[j] <= 5}
    wanted: dict[str, float | None] = {
        "coverage@10": naive_coverage(rows, 10, everything),
        "tail_coverage@10": naive_coverage(rows, 10, rare),
        "macro_F1@5": naive_f1(rows, 5),
    }
    for metric in set(METRICS) - set(wanted):
        name, _, k = metric.partition("@")
        among = rare if name == "tail_R" else None
        parts = [sums(name, int(k), ranked, truth, inverse_of(case), among) for ranked, truth in rows]
        above, below = (sum(part) for part in zip(*parts, strict=True))
        wanted[metric] = above / below if below else None
    got = result_of(case, filter_pairs=case.pairs).metrics
    assert list(got) == list(METRICS)
    for name, share in wanted.items():
        assert got[name] == (None if share is None else pytest.approx(100 * share, abs=1e-4)), name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_permuting_labels_changes_nothing(seed: int) -> None:
    case = problem(seed)
    scores, truth, frequencies = case.scores, case.truth, case.frequencies
    scores.data += np.random.default_rng(seed).random(scores.nnz) / 2  # ties follow the ids, so there must be none
    new = np.random.default_rng(seed).permutation(len(frequencies))
    old = np.argsort(new)
    before = result_of(case, filter_pairs=case.pairs)
    moved = np.stack([case.pairs[:, 0], new[case.pairs[:, 1]]], axis=1)
    other = Problem(as_csr(scores[:, old]), as_csr(truth[:, old]), frequencies[old], case.n_train, moved)
    after = result_of(other, filter_pairs=moved)
    assert after.metrics == pytest.approx(before.metrics, abs=2e-4)
    assert [one.pairs for one in after.bins] == [one.pairs for one in before.bins]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_no_figure_exceeds_100_and_the_bins_add_up(seed: int) -> None:
    result = result_of(problem(seed))
    assert all(value is None or 0 <= value <= 100 for value in result.metrics.values())
    whole = 100 * (result.metrics["P@5"] > 0)
    for bins in (result.bins, result.deciles):
        assert sum(one.labels for one in bins) == result.settings["labels"]
        assert sum(one.pairs for one in bins) == result.settings["test_pairs"]
        for name in ("P_share@5", "PSP_share@5"):
            assert sum(one.metrics[name] or 0 for one in bins) == pytest.approx(whole, abs=1e-2)
    micro = sum(one.pairs * (one.metrics["R@10"] or 0) for one in result.bins if one.high is not None and one.high <= 5)
    tail_pairs = result.settings["tail_test_pairs"]
    tail = result.metrics["tail_R@10"]
    assert (tail is None) == (tail_pairs == 0)
    assert micro == pytest.approx((tail or 0) * tail_pairs, abs=1e-3 * max(tail_pairs, 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_an_oracle_reaches_100(seed: int) -> None:
    case = problem(seed)
    truth, oracle = case.truth, case.truth.copy()
    oracle.data = (1000.0 - case.frequencies[oracle.indices]).astype(np.float32)  # rarest first
    metrics = result_of(dataclasses.replace(case, scores=oracle)).metrics
    for name in ("PSP@1", "PSP@3", "PSP@5", "PSnDCG@1", "PSnDCG@3", "PSnDCG@5", "coverage@10"):
        if name != "coverage@10" or np.diff(truth.indptr).max() <= 10:
            assert metrics[name] == (pytest.approx(100, abs=1e-4) if truth.nnz else None), name


def test_hits_agree_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(5)
    truth, ranking = case.truth, Ranking.from_csr(case.scores, 9)
    whole = hits(ranking, truth)
    dense = truth.toarray() > 0
    naive = [[j >= 0 and bool(dense[i, j]) for j in row] for i, row in enumerate(ranking.indices)]
    assert whole.tolist() == naive and whole.any()
    monkeypatch.setattr("eclare_py.metrics.ranking._ROWS", 3)
    assert np.array_equal(hits(ranking, truth), whole)


def test_filter_pairs_are_taken_out_and_the_rest_moves_up() -> None:
    ranking = Ranking(np.array([[3, 1, 2], [0, 4, -1]]), np.array([[9, 8, 7], [6, 5, -np.inf]], dtype=np.float32))
    pairs = np.array([[0, 1], [0, 3], [1, 2]])
    left = drop_filter_pairs(ranking, pairs)
    assert left.indices.tolist() == [[2, -1, -1], [0, 4, -1]]
    assert left.scores.tolist() == [[7, -np.inf, -np.inf], [6, 5, -np.inf]]
    assert ranking.indices.tolist() == [[3, 1, 2], [0, 4, -1]]
    assert drop_filter_pairs(ranking, np.empty((0, 2), dtype=np.int64)) is ranking
    assert drop_filter_pairs(ranking, np.array([[0, 10**12]])) is ranking


@pytest.mark.parametrize(
    ("pairs", "message"), [([[2, 0]], "document 2, there are 2"), ([[-1, 0]], "document -1"), ([[0, 1, 2]], "shape")]
)
def test_filter_pairs_of_another_split_are_refused(pairs: list[list[int]], message: str) -> None:
    ranking = Ranking(np.array([[0], [1]]), np.ones((2, 1), dtype=np.float32))
    with pytest.raises(DataError, match=message):
        drop_filter_pairs(ranking, np.array(pairs))


def test_stored_zeros_are_not_relevant_and_stay_with_the_caller() -> None:
    truth = Csr((np.array([1, 0, 1], dtype=np.float32), np.array([0, 1, 1]), np.array([0, 2, 3])), shape=(2, 3))
    ranking = Ranking(np.array([[1], [1]]), np.ones((2, 1), dtype=np.float32))
    result = evaluate(ranking, truth, [1, 1, 1], 5)
    assert result.metrics["P@1"] == 50 and result.settings["test_pairs"] == 2
    assert truth.nnz == 3 and truth.data.tolist() == [1, 0, 1]


def test_where_there_is_nothing_to_find_a_figure_is_absent_and_not_zero(tmp_path: Path) -> None:
    ranking = Ranking(np.array([[1], [1]]), np.ones((2, 1), dtype=np.float32))
    frequent = evaluate(ranking, as_csr(np.eye(2, 3)), [9, 9, 9], 20)
    absent = {name for name, value in frequent.metrics.items() if value is None}
    assert absent == {"tail_R@10", "tail_coverage@10"} and frequent.metrics["P@1"] == 50
    frequent.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["metrics"]["tail_R@10"] is None
    assert read_evaluation(tmp_path / "r.json") == frequent
    rows = [row for table in headline_tables(frequent) for row in table.rows]
    assert {row[0]: row[1] for row in rows}["tail R@10"] == "n/a"
    assert "n/a" in render_html(frequent, title="t")
    # Documents without labels count as zero; of labels there are none to look for.
    empty = evaluate(ranking, Csr((2, 3), dtype=np.float32), [1, 1, 1], 5).metrics
    assert (empty["P@1"], empty["R@10"], empty["PSP@5"], empty["coverage@10"]) == (0.0, 0.0, None, None)


def test_a_ranking_without_labels_scores_zero() -> None:
    none = Ranking(np.empty((2, 0), dtype=np.int64), np.empty((2, 0), dtype=np.float32))
    assert set(evaluate(none, as_csr(np.eye(2, 3)), [1, 1, 1], 5).metrics.values()) == {0.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": np.array([[0, 3], [1, 0]])}, r"label 3, labels are 0\.\.2"),
        ({"indices": np.array([[0, -2], [1, 0]])}, "label -2"),
        ({"indices": np.array([[0, 2], [1, 1]])}, "label twice for document 1"),
        ({"indices": np.array([[0, 1]])}, "for 1 documents, the test set has 2"),
        ({"truth": Csr((np.ones(2), np.array([2, 0]), np.array([0, 2, 2])), shape=(2, 3))}, "not sorted"),
        ({"truth": as_csr(np.array([[np.nan, 0, 0], [0, 0, 0]]))}, "NaN"),
        ({"frequencies": [1, 2]}, "must be 3 counts"),
        ({"frequencies": [1, 2, 10]}, "from 0 to 9"),
        ({"frequencies": [1, 2, -1]}, "from 0 to 9"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    indices = change.get("indices", np.array([[0, 1], [1, 2]]))
    ranking = Ranking(indices, np.ones(indices.shape, dtype=np.float32))
    truth = change.get("truth", as_csr(np.eye(2, 3)))
    with pytest.raises(DataError, match=message):
        evaluate(ranking, truth, change.get("frequencies", [1, 1, 1]), 9)


def test_nothing_to_evaluate_is_refused() -> None:
    empty = Ranking(np.empty((0, 2), dtype=np.int64), np.empty((0, 2), dtype=np.float32))
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluate(empty, Csr((0, 3), dtype=np.float32), [1, 1, 1], 9)


def test_the_result_file(tmp_path: Path) -> None:
    result = result_of(problem(8)).with_cost({"train_seconds": 1.5})
    result.save(tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    assert text == result.to_json() and list(json.loads(text)) == list(Evaluation.__dataclass_fields__)
    assert read_evaluation(tmp_path / "r.json") == result
    older = {name: value for name, value in json.loads(text).items() if name not in ("selective", "calibration")}
    (tmp_path / "r.json").write_text(json.dumps(older))
    assert read_evaluation(tmp_path / "r.json") == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "has no metrics"),
        ('{"metrics": 3}', "has no metrics"),
        ('{"metrics": {"P@1": "x"}}', "metric P@1 is 'x'"),
        ('{"metrics": {"P@1": 1e999}}', "1e999 is beyond the largest number"),
        ('{"metrics": {}, "bins": [{"name": "x"}]}', "bins must be"),
        ('{"metrics": {}, "deciles": 1}', "deciles must be"),
        ('{"metrics": {}, "settings": []}', "must be objects"),
        ('{"metrics": {}, "calibration": 3}', "must be objects"),
    ],
)
def test_bad_result_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match=rf"r\.json.*{message}"):
        read_evaluation(tmp_path / "r.json")
    with pytest.raises(DataError, match=r"absent\.json is missing"):
        read_evaluation(tmp_path / "absent.json")
