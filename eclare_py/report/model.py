"""The report of an evaluation as plain values: what is shown and in which words, without a word of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eclare_py.metrics.rare import FrequencyBin
from eclare_py.metrics.result import Evaluation

ABSENT = "n/a"
MEANING = {
    "P": "share of the first k labels that are relevant",
    "nDCG": "precision with more weight on the first ranks",
    "PSP": "precision in which rare labels weigh more",
    "PSnDCG": "nDCG in which rare labels weigh more",
    "R@10": "share of a document's labels among the first 10",
    "R@100": "share of a document's labels among the first 100",
    "tail_R@10": "share of pairs with a rare label among the first 10",
    "coverage@10": "share of the distinct labels ever among the first 10",
    "tail_coverage@10": "the same for rare labels",
    "macro_F1@5": "F1 of the first 5, each label counting the same",
    "micro_F1@5": "F1 of the first 5, each pair of document and label counting the same",
    "hit@10": "documents with a relevant label among the first 10",
    "MRR@10": "1 / rank of the first relevant label, 0 beyond the first 10",
}
TILES = {
    "P@1": "documents whose first label is relevant",
    "nDCG@5": "the first 5, with weight on the first ranks",
    "PSP@5": "the first 5, rare labels weigh more",
    "R@100": "labels among the first 100",
    "tail_R@10": "rare labels among the first 10",
    "coverage@10": "distinct labels ever among the first 10",
}
SETTINGS = {
    "propensity_A": "Propensity A",
    "propensity_B": "Propensity B",
    "tail": "Rare: train documents at most",
    "train_documents": "Train documents",
    "test_documents": "Test documents",
    "test_documents_without_labels": "Test documents without labels (count as zero)",
    "labels": "Labels",
    "labels_without_test_positives": "Labels never relevant in test (left out of coverage and F1)",
    "test_pairs": "Test pairs of document and label",
    "tail_test_pairs": "Test pairs with a rare label",
    "filter_pairs": "Filter pairs",
    "filter_pairs_dropped": "Predictions dropped for a filter pair",
    "ranked": "Labels ranked for each document",
}


@dataclass(frozen=True)
class Prediction:
    """One predicted label of an example: its text, its score, and whether it is relevant."""

    label: str
    score: float
    hit: bool


@dataclass(frozen=True)
class Example:
    """One document with what was predicted for it, best first, and the relevant labels that were not."""

    text: str
    predictions: Sequence[Prediction]
    missed: Sequence[str] = ()


@dataclass(frozen=True)
class Tile:
    """One figure on top of the page."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """One row of the chart: two nested bars in percent, the inner never longer than the outer; None draws nothing."""

    name: str
    detail: str
    inner: float | None
    outer: float | None


@dataclass(frozen=True)
class Report:
    """Everything the page shows, in its order; all texts are still unescaped."""

    title: str
    subtitle: str
    tiles: tuple[Tile, ...]
    bars: tuple[Bar, ...]
    tables: tuple[Table, ...]
    facts: tuple[Table, ...]
    examples: tuple[Example, ...]


def build_report(evaluation: Evaluation, *, title: str, examples: Sequence[Example] = ()) -> Report:
    """What to show of an evaluation.

    Args:
        evaluation: Of `evaluate`, or read back from its file (figures that are absent there are left out).
        title: Name of the model and the data, e.g. "eclare on debian-related".
        examples: Documents to show with their predictions.
    """
    settings, metrics = evaluation.settings, evaluation.metrics
    sizes = [("test_documents", "test documents"), ("labels", "labels"), ("train_documents", "train documents")]
    known = [f"{number(settings[key])} {words}" for key, words in sizes if key in settings]
    single = [name for name in metrics if name.rpartition("@")[0] not in ("P", "nDCG", "PSP", "PSnDCG")]
    rows = tuple((pretty(name), figure(metrics[name]), MEANING.get(name, "")) for name in single)
    return Report(
        title=title,
        subtitle=", ".join(known),
        tiles=tuple(
            Tile(pretty(name), figure(metrics[name]), words) for name, words in TILES.items() if name in metrics
        ),
        bars=tuple(_bar(one) for one in evaluation.bins if one.labels),
        tables=(_bin_table(evaluation.bins), _top_table(metrics), Table("Recall and coverage", ("", "%", ""), rows)),
        facts=(_facts("Settings", settings), _facts("Cost", evaluation.cost)),
        examples=tuple(examples),
    )


def _bar(one: FrequencyBin) -> Bar:
    counted = f"{number(one.labels)} labels, {number(one.pairs)} test pairs"
    return Bar(one.name, counted, one.metrics.get("R@10"), one.metrics.get("R@100"))


def _bin_table(bins: Sequence[FrequencyBin]) -> Table:
    names = list(bins[0].metrics) if bins else []
    rows = tuple(
        (one.name, number(one.labels), number(one.test_labels), number(one.pairs))
        + tuple(figure(one.metrics.get(name)) for name in names)
        for one in bins
    )
    head = ("Train documents", "Labels", "In test", "Pairs", *(pretty(name) for name in names))
    note = (
        "R@k is the share of the test pairs of the row, P and PSP share its part of all hits, plain and weighted; "
        "coverage and F1 run over its labels in test. All in percent."
    )
    return Table("Quality by label frequency", head, rows, note)


def _top_table(metrics: Mapping[str, float]) -> Table:
    families = [name for name in ("P", "nDCG", "PSP", "PSnDCG") if f"{name}@1" in metrics]
    rows = tuple((name, *(figure(metrics.get(f"{name}@{k}")) for k in (1, 3, 5)), MEANING[name]) for name in families)
    return Table("Top of the ranking", ("", "@1", "@3", "@5", ""), rows)


def _facts(title: str, values: Mapping[str, Any], prefix: str = "") -> Table:
    rows: list[tuple[str, ...]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _facts(title, value, f"{prefix}{key} / ").rows
        else:
            name = SETTINGS.get(
                key, str(key).replace("_", " ").capitalize() if not prefix else str(key).replace("_", " ")
            )
            rows.append((prefix + name, number(value)))
    return Table(title, ("", ""), tuple(rows))


def pretty(name: str) -> str:
    """A metric's name for people: `tail_R@10` is "tail R@10"."""
    return name.replace("_", " ")


def figure(value: float | None) -> str:
    """A percentage with one decimal more than the data can resolve."""
    return ABSENT if value is None else f"{value:.2f}"


def number(value: Any) -> str:
    """A count with separators, a float with up to 4 significant digits, anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
