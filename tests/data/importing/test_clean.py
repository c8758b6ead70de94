from __future__ import annotations

from pathlib import Path

import pytest

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.tally import EXAMPLES, Tally
from eclare_py.data.problems import Place, Report


@pytest.mark.parametrize(
    ("text", "repaired", "reasons"),
    [
        ("plain text", "plain text", []),
        ("  two  \t spaces\n", "two spaces", ["white space"]),
        ("no\u00a0break", "no break", ["white space"]),
        ("zero\u200bwidth\x00", "zerowidth", ["control characters removed"]),
        ("caf\u00c3\u00a9", "caf\u00e9", ["encoded twice"]),
        ("it\u00e2\u20ac\u2122s", "it\u2019s", ["encoded twice"]),
        ("Russia\x92s", "Russia\u2019s", ["read as Latin-1"]),
        ("cafe\u0301", "caf\u00e9", ["decomposed letters"]),
        ("half \ud83d of it", "half of it", ["broken characters removed", "white space"]),
        ("\u00c2ngstr\u00f6m \u2013 \u00c3", "\u00c2ngstr\u00f6m \u2013 \u00c3", []),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", []),
    ],
)
def test_repairs(text: str, repaired: str, reasons: list[str]) -> None:
    tally = Tally()
    assert clean(text, tally, Place(Path("t.csv"), Report())) == repaired
    assert sorted(one.reason for one in tally.findings) == sorted(reasons)
    assert clean(repaired, Tally(strict=True), Place(Path("t.csv"), Report())) == repaired


def test_without_repair_only_the_ends_are_trimmed() -> None:
    tally, place = Tally(), Place(Path("t.csv"), Report())
    assert clean(" a  caf\u00c3\u00a9 ", tally, place, repair=False) == "a  caf\u00c3\u00a9"
    assert tally.findings == []
    assert clean("x\ud800", tally, place, repair=False) == "x"


def test_examples_are_few_and_counts_whole() -> None:
    tally, place = Tally(), Place(Path("folder/t.csv"), Report())
    for place.line in range(1, 40):
        tally.reject("empty text", place)
    found = tally.findings[0]
    assert (found.count, len(found.examples), found.examples[0]) == (39, EXAMPLES, "t.csv:1")
    assert not tally.wants_example("rejected", "empty text")
