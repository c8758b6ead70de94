"""The report: what it shows, that its HTML is whole, and that nothing in the data can break out of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from eclare_py.metrics import METRICS, Evaluation, evaluate
from eclare_py.report.evaluation import build_report, render_html, write_html
from eclare_py.report.model import Example, Prediction
from eclare_py.types import Ranking, as_csr

VOID = {"meta", "rect", "circle"}
HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b\ud800</style></svg><img src=http://x/y onerror=z>"


@pytest.fixture
def evaluation() -> Evaluation:
    ranking = Ranking(np.array([[0, 1], [1, -1], [2, 0]]), np.array([[3, 2], [1, -np.inf], [2, 1]], dtype=np.float32))
    truth = as_csr(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]]))
    return evaluate(ranking, truth, [1500, 3, 12], 45_480).with_cost(
        {"train_seconds": 12.345, "predict": {"p50_ms": 1.5}}
    )


class Page(HTMLParser):
    """Collects the elements, checks that they close in order, and keeps the visible text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.seen)


def test_the_page_shows_every_figure(evaluation: Evaluation, tmp_path: Path) -> None:
    examples = [
        Example("edit audio tags", [Prediction("taglib", 0.91, True), Prediction("libc6", 0.5, False)], ["flac"])
    ]
    write_html(evaluation, tmp_path / "r.html", title="eclare on debian", examples=examples)
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    words = " ".join(page.words)
    for name in METRICS:
        assert f"{evaluation.metrics[name]:.2f}" in words, name
    for part in ("eclare on debian", "3 test documents, 3 labels, 45,480 train documents", ">100", "edit audio",
                 "taglib", "0.910", "(relevant)", "(not relevant)", "flac", "Propensity A", "12.35"):  # fmt: skip
        assert part in words, part
    assert (
        page.count("svg") == 3 + 2 and page.count("table") == page.count("caption") == 6 and page.count("details") == 1
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "r.html"]


def test_bars_are_as_long_as_their_share(evaluation: Evaluation) -> None:
    bars = {bar.name: bar for bar in build_report(evaluation, title="t").bars}
    assert list(bars) == ["3-5", "11-100", ">100"]
    assert (bars["3-5"].inner, bars["11-100"].inner, bars["11-100"].outer) == (100, 50, 50)
    widths = [attrs["width"] for tag, attrs in Page(render_html(evaluation, title="t")).seen if tag == "rect"]
    assert widths == ["100", "100.00", "100.00", "100", "50.00", "50.00", "100", "100.00", "100.00"]


def test_tables_can_be_read_without_seeing_them(evaluation: Evaluation) -> None:
    page = Page(render_html(evaluation, title="t"))
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.seen if tag == "th")
    labels = [attrs["aria-label"] for tag, attrs in page.seen if tag == "svg" and "aria-hidden" not in attrs]
    assert len(labels) == 3 and "11-100 train documents: 50.0 % among the first 10" in str(labels[1])
    assert ("html", {"lang": "en"}) in page.seen


def test_hostile_text_stays_text(evaluation: Evaluation, tmp_path: Path) -> None:
    harmless = render_html(evaluation, title="t", examples=[Example("d", [Prediction("l", 1.0, True)], ["m"])])
    bad = evaluation.with_cost({HOSTILE: HOSTILE})
    write_html(
        bad,
        tmp_path / "r.html",
        title=HOSTILE,
        examples=[Example(HOSTILE, [Prediction(HOSTILE, 1.0, True)], [HOSTILE])],
    )
    source = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(source)
    assert {tag for tag, _ in page.seen} == {tag for tag, _ in Page(harmless).seen}
    assert "\x00" not in source and "\x1b" not in source
    assert sum("<script>alert(1)</script>" in part for part in page.words) >= 5


def test_nothing_is_loaded_and_nothing_runs(evaluation: Evaluation) -> None:
    source = render_html(evaluation, title="t")
    page = Page(source)
    assert not {tag for tag, _ in page.seen} & {"script", "link", "img", "iframe", "object", "base", "form", "a"}
    assert not re.search(r"https?:|//|url\(|@import|expression", source)
    assert not any(name.startswith("on") or name in ("src", "href") for _, attrs in page.seen for name in attrs)
    policies = [attrs["content"] for tag, attrs in page.seen if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_long_texts_are_cut_and_missing_figures_are_left_out() -> None:
    partial = Evaluation({"P@1": 12.5, "new@7": 3.0}, [], {})
    page = Page(render_html(partial, title="t", examples=[Example("x" * 5000, [])]))
    words = " ".join(page.words)
    assert "12.50" in words and "new@7" in words and "xxx..." in words and max(map(len, page.words)) <= 400
    assert page.count("figure") == 0


def test_the_page_is_the_same_for_the_same_input(evaluation: Evaluation) -> None:
    assert render_html(evaluation, title="t") == render_html(evaluation, title="t")
