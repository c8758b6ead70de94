"""The web page in a real Chromium: `make browser-test`. Its name keeps it out of `make test`, which has no browser.

CHROMIUM is the program, CHROMIUM_FLAGS may hold more flags for it.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.serve.live import Live


class Watched:
    """What a page did that it must not do."""

    def __init__(self, page: Page, url: str) -> None:
        self.faults: list[str] = []
        page.on("console", lambda one: self.faults.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda one: self._check(one.url, url))

    def _check(self, asked: str, url: str) -> None:
        if not asked.startswith((f"{url}/", f"blob:{url}/")):
            self.faults.append(f"request to {asked}")


@pytest.fixture(scope="module")
def blank() -> Iterator[Page]:
    flags = ["--no-sandbox", *shlex.split(os.environ.get("CHROMIUM_FLAGS", ""))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=flags)
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@pytest.fixture
def page(blank: Page, live: Live) -> Iterator[Page]:
    """The page, open; at the end it has done nothing it must not."""
    blank.set_viewport_size({"width": 1200, "height": 900})
    blank.emulate_media(color_scheme="light")
    watched = Watched(blank, live.url)
    blank.goto(live.url)
    expect(blank.locator("#about")).to_contain_text("tiny: 90 labels")
    yield blank
    blank.unroute_all()
    wanted = [one for one in watched.faults if "Failed to load resource" not in one]  # tests of errors cause these
    assert wanted == []


def names(page: Page) -> list[str]:
    return page.locator("#labels .name").all_inner_texts()


def write(page: Page, text: str) -> None:
    page.locator("#text").fill(text)
    page.locator("#labels li").first.wait_for()


def move(page: Page, slider: str, step: int) -> None:
    page.locator(slider).focus()
    page.keyboard.press("Home")
    for _ in range(step):
        page.keyboard.press("ArrowRight")


def test_labels_appear_as_one_types(page: Page, tiny: Any) -> None:
    text = tiny.folder.test.texts[3]
    expect(page.locator("#state")).to_have_text("Labels appear here as you type.")
    page.locator("#text").press_sequentially(text)
    expected = [name for name, _ in tiny.classifier.predict_names([text], 10)[0]]
    expect(page.locator("#labels .name")).to_have_text(expected)
    assert page.locator("#legend li").count() >= 2
    assert page.locator("#labels .meter i").count() >= 10
    page.locator("#k").select_option("5")
    expect(page.locator("#labels .name")).to_have_text(expected[:5])
    page.locator("#text").fill("  ")
    expect(page.locator("#state")).to_have_text("Labels appear here as you type.")
    expect(page.locator("#labels li")).to_have_count(0)


def test_a_label_opens_with_its_shares_and_neighbours(page: Page, tiny: Any) -> None:
    text = tiny.folder.test.texts[3]
    write(page, text)
    page.locator("#labels button").first.click()
    first = names(page)[0]
    detail = page.locator("#detail")
    expect(detail.locator("h2")).to_have_text(first)
    expect(page.locator("#labels button").first).to_have_attribute("aria-pressed", "true")
    found = tiny.classifier.explain(text, first)
    expect(detail).to_contain_text(f"{found.dense:+.3f}")
    expect(detail.locator(".facts").first).to_contain_text("1 of")
    node = detail.locator("svg [role=button]").last
    node.focus()
    page.keyboard.press("Enter")
    expect(detail.locator("h2")).not_to_have_text(first)
    detail.get_by_role("button", name="Back").click()
    expect(detail.locator("h2")).to_have_text(first)
    other = detail.locator(".chips button").first
    wanted = other.get_attribute("title")
    other.click()
    expect(detail).to_contain_text(wanted or "")
    detail.get_by_role("button", name="Close").click()
    expect(detail).to_be_hidden()
    expect(page.locator("#labels [aria-pressed=true]")).to_have_count(0)


def test_the_slider_hides_what_does_not_reach_the_precision(page: Page, tiny: Any) -> None:
    write(page, tiny.folder.test.texts[3])
    everything = names(page)
    move(page, "#least-range", 6)
    expect(page.locator("#least output")).to_have_text("95 % or more")
    hidden = len(everything) - len(names(page))
    assert hidden > 0
    expect(page.locator("#state")).to_contain_text("95 %")
    move(page, "#least-range", 0)
    expect(page.locator("#labels .name")).to_have_text(everything)


def test_a_model_that_explains_nothing_says_so(blank: Page, plain: tuple[Live, Any], tiny: Any) -> None:
    live, classifier = plain
    watched = Watched(blank, live.url)
    blank.goto(live.url)
    write(blank, tiny.folder.test.texts[3])
    assert names(blank)[0] == classifier.predict_names([tiny.folder.test.texts[3]], 1)[0][0][0]
    move(blank, "#least-range", 19)
    expect(blank.locator("#least output")).to_have_text("0.95")
    move(blank, "#least-range", 0)
    blank.locator("#labels button").first.click()
    expect(blank.locator("#detail")).to_contain_text("it has no label vectors or graph")
    expect(blank.locator("#detail")).to_contain_text("no edge in a label graph")
    assert watched.faults == []


def test_errors_are_told_and_can_be_tried_again(page: Page, tiny: Any) -> None:
    page.route("**/v1/predict", lambda route: route.abort())
    page.locator("#text").fill("some text")
    expect(page.locator("#state")).to_contain_text("The server does not answer")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    page.locator("#labels li").first.wait_for()
    page.locator("#text").fill("x" * 20_003)
    expect(page.locator("#state")).to_have_text("The text is too long: leave out 3 characters.")

    seen: list[str] = []

    def busy_once(route: Route) -> None:
        seen.append(route.request.url)
        if len(seen) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, body="{}")
        else:
            route.continue_()

    page.route("**/v1/predict", busy_once)
    write(page, "another text")
    assert len(seen) == 2


def test_texts_are_never_markup(page: Page) -> None:
    write(page, "<img src=x onerror=alert(1)> <script>alert(2)</script>")
    page.locator("#tab-many").click()
    table = "<img src=x onerror=alert(3)>,title\n<b>bold</b>,a text\n"
    page.locator("#file").set_input_files({"name": "x.csv", "mimeType": "text/csv", "buffer": table.encode()})
    expect(page.locator("#columns label").first).to_contain_text("<img src=x onerror=alert(3)>")
    page.locator("#start").click()
    expect(page.locator("#preview tbody td").first).to_have_text("<b>bold</b>")


def upload(page: Page, content: bytes, name: str = "table.csv") -> None:
    page.locator("#tab-many").click()
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def test_a_table_comes_back_with_labels(page: Page, tiny: Any, tmp_path: Path) -> None:
    texts = tiny.folder.test.texts[:70]
    texts[1] = 'with "quotes", commas;\nand a line end'
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        table = [["id", "title"], *([i, text] for i, text in enumerate(texts)), ["e", ""]]
        csv.writer(stream, delimiter=";").writerows(table)
    upload(page, (tmp_path / "in.csv").read_bytes(), "my table.csv")
    expect(page.locator("#file-state")).to_have_text("my table.csv: 71 rows, 2 columns, read as UTF-8.")
    assert page.locator("#columns input:checked").input_value() == "1"
    page.locator("#many-k").select_option("3")
    page.locator("#start").click()
    expect(page.locator("#file-state")).to_have_text("Done: 71 rows. 1 row has no label.")
    expect(page.locator("#rows")).to_have_text("70 of 70 texts")
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename == "my table-labels.csv"
    with open(waiting.value.path(), newline="", encoding="utf-8-sig") as stream:
        head, *rows = csv.reader(stream, delimiter=";")
    assert head == ["id", "title", "labels", "label_texts", "scores"]
    assert [row[1] for row in rows] == [*texts, ""]
    expected = tiny.classifier.predict_names(texts, 3)
    assert [row[2].split("|") for row in rows[:-1]] == [[name for name, _ in one] for one in expected]
    assert [float(s) for s in rows[0][4].split("|")] == pytest.approx([score for _, score in expected[0]], abs=1e-4)
    assert rows[-1][2:] == ["", "", ""]


def test_a_table_can_be_dropped(page: Page) -> None:
    page.locator("#tab-many").click()
    page.evaluate("""() => {
        const dropped = new DataTransfer();
        dropped.items.add(new File(['title\\na\\nb\\n'], 'dropped.csv'));
        document.querySelector('#drop').dispatchEvent(new DragEvent('drop', {dataTransfer: dropped, cancelable: true}));
    }""")
    expect(page.locator("#file-state")).to_have_text("dropped.csv: 2 rows, 1 column, read as UTF-8.")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"title\n", "there is no row below"),
        (b"id,title\n1,a\n2\n", "row 2 has 1 field, the first line 2"),
        (b'id,title\n1,"open\n', "a quote that is never closed"),
    ],
)
def test_tables_at_fault_are_told(page: Page, content: bytes, told: str) -> None:
    upload(page, content)
    expect(page.locator("#file-state")).to_contain_text(told)
    expect(page.locator("#plan")).to_be_hidden()


def test_a_table_in_an_old_encoding_and_without_a_chosen_column(page: Page) -> None:
    upload(page, "name\tnote\nCafé\tx\n".encode("cp1252"), "old.tsv")
    expect(page.locator("#file-state")).to_contain_text("read as Windows-1252")
    page.locator("#columns input:checked").uncheck()
    page.locator("#start").click()
    expect(page.locator("#file-state")).to_have_text("Choose at least one column that holds the text.")


def test_a_run_can_be_stopped(page: Page) -> None:
    upload(page, b"title\n" + b"some words here\n" * 500)
    held: list[Route] = []
    page.route("**/v1/predict", lambda route: held.append(route))
    page.locator("#start").click()
    page.locator("#cancel").click()
    expect(page.locator("#file-state")).to_have_text("Stopped. Nothing was saved.")
    expect(page.locator("#start")).to_be_enabled()


def test_all_can_be_done_with_the_keyboard(page: Page, tiny: Any) -> None:
    order = []
    for _ in range(4):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    assert order == ["tab-one", "text", "k", "least-range"]
    write(page, tiny.folder.test.texts[3])
    page.locator("#least-range").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text(names(page)[0])
    page.locator("#tab-one").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#many")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "tab-many"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


UNNAMED = """() => [...document.querySelectorAll('input,select,textarea,button,progress,[role=button]')].filter(
    (e) => !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label'))).map((e) => e.outerHTML)"""


def test_a_phone_shows_all_of_it(page: Page, tiny: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    write(page, tiny.folder.test.texts[3])
    page.locator("#labels button").first.click()
    page.locator("#detail svg").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(UNNAMED) == []
    upload(page, b"title\nsome words\n")
    page.locator("#start").click()
    page.locator("#preview").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(UNNAMED) == []


def contrast(one: str, other: str) -> float:
    """Of two colours as rgb(...), by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(page: Page, scheme: Any, tiny: Any) -> None:
    page.emulate_media(color_scheme=scheme)

    def colour(selector: str, part: str) -> str:
        return str(page.evaluate("([s, p]) => getComputedStyle(document.querySelector(s))[p]", [selector, part]))

    write(page, tiny.folder.test.texts[3])
    paper = colour("body", "backgroundColor")
    for words in ("body", "#about", "#count", "#tab-many", "#labels .score", "#labels .name"):
        assert contrast(colour(words, "color"), paper) >= 4.5, words
    assert contrast(colour("#start", "color"), colour("#start", "backgroundColor")) >= 4.5
    for source in ("text", "graph", "documents", "free", "prior"):
        page.evaluate("s => { document.querySelector('#legend i').className = `key ${s}` }", source)
        assert contrast(colour("#legend i", "backgroundColor"), paper) >= 3, source
    assert contrast(colour("#text", "borderTopColor"), paper) >= 3
