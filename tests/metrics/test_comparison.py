"""What a comparison says: verdicts, words, tables, and the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.metrics.comparison import Study, compare
from eclare_py.metrics.per_document import ALL, Cell, DocumentScores, by_frequency
from eclare_py.report.comparison import (
    build_page,
    difference_table,
    figures_table,
    in_words,
    seeds_table,
    verdict_table,
)
from eclare_py.report.page import render_page

CELLS: tuple[Cell, ...] = (("P@1", "all"), ("R@10", "all"), ("R@10", "1-5"), ("R@10", "over 5"), ("R@10", "unseen"))


def run(seed: int, *moved: float) -> DocumentScores:
    """Figures of 50 % over 400 documents, moved by so many points, with a little noise over documents and seeds."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    hits = np.stack([shared.normal(0.5 + by / 100, 0.3, 400) for by in (*moved, 0)])
    hits = hits + own.normal(0, 0.1, hits.shape) + own.normal(0, 0.002, (len(hits), 1))
    possible = np.ones_like(hits)
    possible[-1] = 0  # no unseen label in test
    return DocumentScores(CELLS, hits * possible, possible, "t")


@pytest.fixture(scope="module")
def study() -> Study:
    return compare(
        {
            "base": [run(seed, 0, 0, 0, 0) for seed in (1, 2, 3)],
            "graph": [run(seed, 0, 6, 9, -8) for seed in (4, 5, 6)],
            "same": [run(7, 0, 0, 0, 0)],
        }
    )


def test_verdicts(study: Study) -> None:
    graph, same = study.comparisons
    assert [(one.base, one.other) for one in study.comparisons] == [("base", "graph"), ("base", "same")]
    assert [one.verdict for one in graph.differences] == ["noise", "better", "better", "worse"]
    assert {one.verdict for one in same.differences} == {"noise"}
    assert [one.name for one in graph.differences] == ["P@1", "R@10", "R@10 (1-5)", "R@10 (over 5)"]
    for one in graph.differences:
        assert one.low is not None and one.high is not None and one.low < one.difference < one.high
        assert one.difference == pytest.approx(one.other - one.base)
        assert one.p <= one.p_adjusted
    assert study.runs == {"base": 3, "graph": 3, "same": 1}
    assert study.settings["tests"] == 8


def test_figures_have_intervals_and_spread(study: Study) -> None:
    for figure in study.figures["base"]:
        assert figure.low < figure.value < figure.high and figure.spread is not None and 0 < figure.spread < 2
    assert all(figure.spread is None for figure in study.figures["same"])
    assert study.figures["base"][0].value == pytest.approx(
        np.mean([run(seed, 0, 0, 0, 0).figures()[0] for seed in (1, 2, 3)])
    )


def test_each_verdict_is_one_line_in_words(study: Study) -> None:
    graph, same = (in_words(one) for one in study.comparisons)
    assert re.fullmatch(r"R@10 \+[567]\.\d\d \[1-5: \+(8|9|10)\.\d\d\]", graph["better"])
    assert re.fullmatch(r"R@10 \[over 5: -[789]\.\d\d\]", graph["worse"])
    assert re.fullmatch(
        r"1 of 4 figures; the largest is P@1 .\d\.\d\d, which may be anything from .* to .*", graph["noise"]
    )
    assert (same["better"], same["worse"]) == ("nothing", "nothing") and same["noise"].startswith("4 of 4 figures")


def test_tables(study: Study) -> None:
    graph = study.comparisons[0]
    assert [row[:2] for row in verdict_table(graph).rows] == [("Better", "2"), ("Worse", "1"), ("Noise", "1")]
    rows = difference_table(graph, 0.95).rows
    assert [(row[0], row[1], row[-1]) for row in rows][1:3] == [("R@10", "all", "better"), ("R@10", "1-5", "better")]
    assert rows[1][4].startswith("+") and rows[1][6] == "< 0.001"
    assert seeds_table(study).head == ("", "Labels", "base, 3 runs", "graph, 3 runs")
    figures = figures_table(study)
    for table in (figures, seeds_table(study), difference_table(graph, 0.95)):
        assert {len(row) for row in table.rows} == {len(table.head)}
    assert figures.head[2::2] == ("base", "graph", "same")
    alone = compare({"one": [run(1, 0, 0, 0, 0)]})
    assert alone.comparisons == [] and seeds_table(alone).rows == ()


def test_the_page_and_the_json_hold_every_figure(study: Study) -> None:
    report = build_page(study, {"base": ["<a>.json"], "graph": ["b.json"], "same": ["c.json"]}, ["One & only."])
    page = render_page(report)
    assert "graph, same against base" in page and "&lt;a&gt;.json" in page and "One &amp; only." in page
    assert not re.search(r"<script|https?:|src=|href=", page)
    plain = json.loads(json.dumps(study.to_mapping(), allow_nan=False))
    for comparison in plain["comparisons"]:
        for one in comparison["differences"]:
            assert f"{one['difference']:+.2f}" in page
    for group in plain["figures"].values():
        for one in group:
            assert f"{one['value']:.2f}" in page


def test_fewer_figures_are_tested_where_some_are_asked_for(study: Study) -> None:
    groups = {"a": [run(seed, 0, 0, 0, 0) for seed in (1, 2)], "b": [run(seed, 0, 6, 9, -8) for seed in (4, 5)]}
    some = compare(groups, only=["R@10 (*", "P@?"])
    assert [one.name for one in some.comparisons[0].differences] == ["P@1", "R@10 (1-5)", "R@10 (over 5)"]
    assert some.settings["tests"] == 3
    with pytest.raises(UsageError, match="those that all results have are P@1, R@10, R@10"):
        compare(groups, only=["Z@1"])
    with pytest.raises(UsageError, match="nothing to compare"):
        compare({})


def test_figures_that_not_all_runs_have_are_left_out() -> None:
    full = run(1, 0, 0, 0, 0)
    part = DocumentScores(CELLS[1::-1], full.gained[1::-1], full.possible[1::-1], "t")
    found = compare({"a": [full], "b": [part]})
    assert [one.name for one in found.comparisons[0].differences] == ["P@1", "R@10"]
    assert all(one.difference == 0 and one.p == 1 for one in found.comparisons[0].differences)


def test_figures_over_nothing_are_told_so_where_they_are_asked_for() -> None:
    full = run(1, 0, 0, 0, 0)
    empty = replace(full, possible=np.where(np.arange(len(full.cells))[:, None] == 1, 0.0, full.possible))
    with pytest.raises(UsageError, match=r"nothing to find for R@10$"):
        compare({"a": [empty], "b": [empty]}, only=[full.cells[1][0]])


def test_bins_of_other_frequencies_are_not_compared() -> None:
    """Where a label moved to another bin, a difference between bins would be one between labels."""
    one, other = run(1, 0, 0, 0, 0), replace(run(2, 0, 9, 9, 9), basis="b")
    apart = compare({"a": [replace(one, basis="a")], "b": [other]})
    assert [each.name for each in apart.comparisons[0].differences] == ["P@1", "R@10"]
    assert "evaluate all with --frequencies data" in apart.left_out and apart.to_mapping()["left_out"] == apart.left_out
    together = compare({"a": [replace(one, basis="b")], "b": [other]})
    assert len(together.comparisons[0].differences) == 4 and together.left_out == ""
    with pytest.raises(UsageError, match="no figure to compare.*--frequencies data"):
        compare({"a": [replace(one, basis="a")], "b": [other]}, only=["R@10 (*"])
    weighted = [("PSP@5", ALL), ("micro_PSR@10", ALL), ("PSnDCG_raw@3", ALL), ("tail_R@10", ALL), ("P@5", "1")]
    assert all(by_frequency(cell) for cell in weighted)
    assert not any(by_frequency((name, ALL)) for name in ("P@1", "R@10", "macro_F1@5", "coverage@10", "MRR@10"))


def test_the_same_call_gives_the_same_numbers(study: Study) -> None:
    again = compare({"base": [run(seed, 0, 0, 0, 0) for seed in (1, 2, 3)], "same": [run(7, 0, 0, 0, 0)]})
    assert again.figures["base"] == study.figures["base"]
    assert [one.p for one in again.comparisons[0].differences] == [one.p for one in study.comparisons[1].differences]


def test_few_documents_have_no_interval() -> None:
    gained, possible = np.zeros((2, 1, 30)), np.zeros((1, 30))
    possible[0, 3], gained[1, 0, 3] = 1, 1  # one document tells of this bin
    sides = [DocumentScores((("R@10", "1"),), one, possible, "t") for one in gained]
    one = compare({"a": sides[:1], "b": sides[1:]}).comparisons[0].differences[0]
    assert (one.difference, one.low, one.high, one.verdict) == (100, None, None, "noise")
