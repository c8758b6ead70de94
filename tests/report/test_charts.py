"""The page of a whole evaluation: intervals, gains, thresholds, extremes, charts."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from eclare_py.errors import DataError
from eclare_py.metrics.document_scores import saved_scores
from eclare_py.metrics.evaluate import evaluate_trial
from eclare_py.metrics.label_table import label_table
from eclare_py.metrics.per_document import ALL
from eclare_py.metrics.result import Evaluation
from eclare_py.metrics.score_quality import calibration_section, selective_section
from eclare_py.metrics.sections import against_section, extremes_section, intervals_section
from eclare_py.metrics.selective import Scored
from eclare_py.metrics.trial import Trial, open_trial
from eclare_py.report.charts import coverage_chart, gain_chart, reliability_chart
from eclare_py.report.evaluation import build_report, draw_charts, render_html
from eclare_py.types import Ranking, as_csr

N, L = 120, 31
FREQUENCIES = np.array([0, 1, 1, 2, 3, 4, 7, 9, 40, 150, *range(1, 22)])


def trial_of(seed: int, skill: float) -> Trial:
    truth = np.random.default_rng(0).random((N, L)) < 0.15
    noise = np.random.default_rng(seed).random((N, L))
    scores = (skill * truth + (1 - skill) * noise).astype(np.float32)
    return open_trial(Ranking.from_csr(as_csr(scores), 12), as_csr(truth.astype(np.float32)), FREQUENCIES, 500)


@pytest.fixture(scope="module")
def whole() -> Evaluation:
    own, base = trial_of(1, 0.6), trial_of(2, 0.3)
    scored = Scored.of(own.judged.ranking.top(10), own.judged.labels, FREQUENCIES)
    return dataclasses.replace(
        evaluate_trial(own),
        selective=selective_section(scored, scored),
        calibration=calibration_section(scored),
        intervals=intervals_section(saved_scores(own)),
        against=against_section(saved_scores(own), saved_scores(base), "no graph"),
        extremes=extremes_section(label_table(own, [f"label {i}" for i in range(L)])),
    )


def test_intervals_hold_their_figure_and_stand_on_the_page(whole: Evaluation) -> None:
    for metric, (low, high) in whole.intervals["bins"][ALL].items():
        if metric in whole.metrics:
            assert low <= whole.metrics[metric] <= high, metric
    low, high = whole.intervals["bins"][ALL]["P@1"]
    tile = {one.name: one for one in build_report(whole, title="t").tiles}["P@1"]
    assert tile.interval == f"{low:.1f} to {high:.1f}" and tile.interval in render_html(whole, title="t")
    bars = {bar.name: bar.ends for bar in build_report(whole, title="t").bars}
    assert bars["3-5"] == tuple(whole.intervals["bins"]["3-5"]["R@10"])


def test_gains_are_differences_of_the_two_runs(whole: Evaluation) -> None:
    own, base = (saved_scores(trial_of(seed, skill)) for seed, skill in ((1, 0.6), (2, 0.3)))
    figures = dict(zip(own.cells, own.figures() - base.figures(), strict=True))
    assert whole.against["base"] == "no graph" and len(whole.against["differences"]) > 20
    for one in whole.against["differences"]:
        assert one["difference"] == pytest.approx(figures[one["metric"], one["bin"]])
    assert {one["verdict"] for one in whole.against["differences"]} == {"better", "noise"}


def test_runs_of_other_documents_cannot_be_set_against_each_other() -> None:
    own = saved_scores(trial_of(1, 0.6))
    other = dataclasses.replace(own, test_set="another")
    with pytest.raises(DataError, match="of other test sets, .* evaluate both on the same data"):
        against_section(own, other, "base.json")


def test_what_is_not_compared_is_told_on_the_page(whole: Evaluation) -> None:
    own = saved_scores(trial_of(1, 0.6))
    apart = against_section(own, dataclasses.replace(own, basis="other"), "base")
    assert {one["bin"] for one in apart["differences"]} == {ALL} and "--frequencies data" in apart["left_out"]
    page = dataclasses.replace(whole, against=apart)
    (table,) = [one for one in build_report(page, title="t").tables if one.title == "Figures against base"]
    assert table.note == apart["left_out"]
    assert not any(chart.title.startswith("Gain") for chart in draw_charts(page))


def test_best_and_worst_labels_by_hand(whole: Evaluation) -> None:
    trial = trial_of(1, 0.6)
    truth, top = trial.judged.labels.toarray() > 0, trial.judged.ranking.indices[:, :10]
    recall = {}
    for label in range(L):
        rows = np.flatnonzero(truth[:, label])
        if len(rows) >= 5:
            recall[label] = (sum(label in top[row] for row in rows) / len(rows), len(rows))
    best = sorted(recall, key=lambda label: (-recall[label][0], -recall[label][1], label))
    worst = sorted(recall, key=lambda label: (recall[label][0], -recall[label][1], label))
    assert [one["label"] for one in whole.extremes["best"]] == best[:12]
    assert [one["label"] for one in whole.extremes["worst"]] == worst[:12]


def test_the_page_has_all_charts_and_runs_nothing(whole: Evaluation) -> None:
    source = render_html(whole, title="t")
    assert [one.title for one in draw_charts(whole)] == [
        "Gain over no graph", "Are scores probabilities?", "What can be automated?",
    ]  # fmt: skip
    assert source.count("<figure class='chart") == 3 and source == render_html(whole, title="t")
    for part in ("Thresholds for the first label", "Labels that are found best", "Figures against no graph"):
        assert part in source
    assert not re.search(r"<(script|link|img|iframe|object)|url\(http|href=\"(?!#)", source)
    links = set(re.findall(r'href="#([^"]+)"', source))
    assert links <= set(re.findall(r'id="([^"]+)"', source))


def test_a_chart_without_thresholds_or_certain_bins_is_drawn(whole: Evaluation) -> None:
    selective: dict[str, Any] = {key: {**whole.selective[key], "targets": []} for key in ("first", "all")}
    assert coverage_chart({"k": 10, **selective}).startswith("<svg")
    differences = [{**one, "low": None, "high": None} for one in whole.against["differences"]]
    assert gain_chart({**whole.against, "differences": differences}).startswith("<svg")
    calibration = whole.calibration
    empty = [{**one, "count": 0} if i else one for i, one in enumerate(calibration["equal_width"]["bins"])]
    empty[0] = {**empty[0], "count": 3, "score": 0.05, "share": 0.1}
    assert reliability_chart({"equal_width": {"bins": empty}}).startswith("<svg")
