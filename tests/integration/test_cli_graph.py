"""`eclare graph` on a tiny trained model."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eclare_py.graph import analyze, summary
from eclare_py.report.graph import tables
from tests.integration.command import eclare


class Page(HTMLParser):
    """Checks that elements close in order, and collects ids and captions."""

    void = {"meta", "rect", "circle"}

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.captions: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("caption", "h2"):
            self.captions.append(data)


def test_tables_and_figures(tiny: Any, tmp_path: Path) -> None:
    target = tmp_path / "graph.json"
    shown = eclare("graph", tiny.model, "--data", tiny.data, "--json", target).stdout
    for title in ("Degrees", "Components", "Largest communities", "Hubs", "Edges and label texts"):
        assert title in shown
    found = json.loads(target.read_text())
    pipeline = tiny.classifier.pipeline
    assert found["summary"]["edges"] == summary(pipeline.graph).edges == pipeline.graph.n_edges
    assert sum(one["labels_out"] for one in found["degrees"]) == sum(one["labels"] for one in found["components"]) == 90
    test = tiny.folder.test.labels.toarray() > 0
    together = test.T.astype(int) @ test.astype(int) > 0
    assert found["documents"][-1]["pairs"] == (together.sum() - together.diagonal().sum()) // 2
    assert found["documents"][-1]["hits"] > 0


def test_without_data_there_is_no_comparison_with_documents(tiny: Any, tmp_path: Path) -> None:
    target = tmp_path / "graph.json"
    assert "Edges and test documents" not in eclare("graph", tiny.model, "--json", target).stdout
    assert json.loads(target.read_text())["documents"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["graph.json"]


def test_the_page_is_whole_and_needs_nothing_else(tiny: Any, tmp_path: Path) -> None:
    target, text = tmp_path / "graph.html", tiny.classifier.pipeline.labels.texts[4]
    call = ["graph", tiny.model, "--data", tiny.data, "--html", target]
    eclare(*call, "--label", 4)
    page = target.read_text()
    read = Page(page)
    assert len(read.ids) == len(set(read.ids))
    assert ["Map of the labels", f"Around {text}"] == read.captions[:2]
    assert "Edges and test documents" in read.captions and f"Neighbours of {text}" in read.captions
    assert page.count("<svg ") == 2 and "<script" not in page
    assert not re.search(r'(?:href|src)="(?!#)|url\((?!#)', page)
    eclare(*call, "--label", 4)
    assert target.read_text() == page
    eclare(*call)
    assert target.read_text().count("<svg ") == 1


def test_pictures_of_a_label_and_of_all(tiny: Any, tmp_path: Path) -> None:
    around, label_map = tmp_path / "around.svg", tmp_path / "map.png"
    text = tiny.classifier.pipeline.labels.texts[4]
    said = eclare("graph", tiny.model, "--label", text[:-1], "--out", around)
    assert f"Neighbours of {text}" in said.stdout and f"picture written to {around}" in said.stderr
    assert f"Around {text}" in around.read_text()
    eclare("graph", tiny.model, "--out", label_map)
    assert label_map.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "picture.gif"], "picture.gif is no picture: name it .svg, .png or .pdf"),
        (["--label", "nobody at all"], "there is no label 'nobody at all'"),
        (["--label", "90"], "label 90 is outside the labels 0..89"),
    ],
)
def test_calls_at_fault(tiny: Any, tmp_path: Path, options: list[str], message: str) -> None:
    result = eclare("graph", tiny.model, "--json", tmp_path / "graph.json", *options, code=2)
    assert message in result.stderr and not list(tmp_path.iterdir())


def test_a_model_without_a_graph_is_told_so(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eclare_py.estimator.EclareClassifier.pipeline", SimpleNamespace(recipe={"method": "linear"}))
    assert "has no label graph" in eclare("graph", tiny.model, code=2).stderr


def test_data_without_test_documents_are_refused(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataclasses.replace(tiny.folder, test=None)
    monkeypatch.setattr("eclare_py.data.dataset.load_dataset", lambda _: folder)
    assert "there is no test split" in eclare("graph", tiny.model, "--data", tiny.data, code=1).stderr


def test_pictures_without_matplotlib_are_refused_at_once(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = eclare("graph", tiny.model, "--html", tmp_path / "graph.html", code=2)
    assert "pip install 'eclare_py[report]'" in result.stderr and result.stdout == ""
    assert "Hubs" in eclare("graph", tiny.model).stdout


def test_help_shows_an_example() -> None:
    assert "eclare graph models/debian" in eclare("graph", "--help").stdout


def test_tables_say_what_the_analysis_says(tiny: Any) -> None:
    pipeline = tiny.classifier.pipeline
    texts = pipeline.labels.texts
    found = analyze(pipeline.graph, texts, pipeline.features.transform(texts), pipeline.frequencies)
    by_title = {one.title: one for one in tables(found)}
    assert by_title["Hubs"].rows[0][1] == str(found.hubs[0].in_degree)
    assert by_title["Edges and label texts"].rows[-1][:2] == ("all", str(found.text[-1].edges))
    assert by_title["Edges and test documents"].rows == ()
