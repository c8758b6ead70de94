"""The report of an evaluation: its figures in words and tables, and one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eclare_py.metrics.per_document import ALL
from eclare_py.metrics.rare import FrequencyBin
from eclare_py.metrics.result import Evaluation
from eclare_py.report.charts import coverage_chart, gain_chart, reliability_chart
from eclare_py.report.model import Bar, Chart, Example, Report, Table, Tile, figure, number, pretty
from eclare_py.report.page import render_page
from eclare_py.storage import atomic_file

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
    "frequencies": "Label frequencies are counted by",
}


def write_html(evaluation: Evaluation, path: str | Path, *, title: str, examples: Sequence[Example] = ()) -> None:
    """Write the page atomically: inline style and drawings, no script, nothing loaded from elsewhere.

    Args:
        evaluation: Of `evaluate`.
        path: The HTML file.
        title: Name of the model and the data.
        examples: Documents to show with their predictions; they and their labels become part of the page.

    Raises:
        UsageError: matplotlib is missing.
    """
    text = render_html(evaluation, title=title, examples=examples)
    with atomic_file(path) as handle:
        handle.write(text)


def render_html(evaluation: Evaluation, *, title: str, examples: Sequence[Example] = ()) -> str:
    """The page as text; the same input gives the same text. Arguments as in `write_html`."""
    return render_page(build_report(evaluation, title=title, examples=examples, charts=draw_charts(evaluation)))


def build_report(
    evaluation: Evaluation, *, title: str, examples: Sequence[Example] = (), charts: Sequence[Chart] = ()
) -> Report:
    """What to show of an evaluation.

    Args:
        evaluation: Of `evaluate`, or read back from its file (figures that are absent there are left out).
        title: Name of the model and the data, e.g. "eclare on debian-related".
        examples: Documents to show with their predictions.
        charts: Of `draw_charts`.
    """
    settings, metrics = evaluation.settings, evaluation.metrics
    sizes = [("test_documents", "test documents"), ("labels", "labels"), ("train_documents", "train documents")]
    known = [f"{number(settings[key])} {words}" for key, words in sizes if key in settings]
    return Report(
        title=title,
        subtitle=", ".join(known),
        tiles=tuple(
            Tile(pretty(name), figure(metrics[name]), words, _interval(evaluation, name))
            for name, words in TILES.items()
            if name in metrics
        ),
        bars=tuple(_bar(one, _ends(evaluation, one.name).get("R@10")) for one in evaluation.bins if one.labels),
        tables=(*headline_tables(evaluation), *_detail_tables(evaluation)),
        facts=(_facts("Settings", settings), _facts("Cost", evaluation.cost)),
        examples=tuple(examples),
        charts=tuple(charts),
    )


def draw_charts(evaluation: Evaluation) -> list[Chart]:
    """The charts of what an evaluation knows.

    Raises:
        UsageError: matplotlib is missing.
    """
    charts = []
    against = evaluation.against
    if any(one["bin"] != ALL for one in against.get("differences", ())):
        note = (
            f"Differences to {against['base']} on the same documents, with {against['level']:.0%} intervals. R@k: of "
            "the test pairs of the bin. PSP@5: points of the whole figure that are owed to the bin. Full: beyond "
            "chance, corrected for the number of figures. One run each: variation over seeds is not in it."
        )
        charts.append(Chart(f"Gain over {against['base']}", note, gain_chart(against), wide=True))
    if evaluation.calibration:
        error = evaluation.calibration["equal_width"]["expected_error"]
        note = (
            "Of the ten best labels of each document. On the line a score is a probability; expected calibration "
            f"error {error:.3f}. Size: predictions."
        )
        charts.append(Chart("Are scores probabilities?", note, reliability_chart(evaluation.calibration)))
    if evaluation.selective:
        note = "Highest scores first. Points: what thresholds chosen on held-out train documents give here."
        charts.append(Chart("What can be automated?", note, coverage_chart(evaluation.selective)))
    return charts


def headline_tables(evaluation: Evaluation) -> tuple[Table, ...]:
    """Quality by frequency, at the top, and in recall and coverage: what a terminal has room for."""
    metrics = evaluation.metrics
    single = [name for name in metrics if name.rpartition("@")[0] not in ("P", "nDCG", "PSP", "PSnDCG")]
    rows = tuple((pretty(name), figure(metrics[name]), MEANING.get(name, "")) for name in single)
    return (_bin_table(evaluation.bins), _top_table(metrics), Table("Recall and coverage", ("", "%", ""), rows))


def _detail_tables(evaluation: Evaluation) -> list[Table]:
    tables = []
    if evaluation.deciles:
        note = "Ranges of frequency with about a tenth of the test pairs each. Columns as above."
        tables.append(_bin_table(evaluation.deciles, "Quality by tenths of the test pairs", note))
    if evaluation.against:
        tables.append(_gain_table(evaluation.against))
    if evaluation.selective:
        tables += [_threshold_table(evaluation.selective, key, words) for key, words in _PLACES]
    for name, words in (("best", "Labels that are found best"), ("worst", "Labels that are found worst")):
        if rows := evaluation.extremes.get(name):
            tables.append(_label_table(rows, words))
    return tables


_PLACES = (("first", "the first label"), ("all", "the first ten labels"))


def _threshold_table(section: Mapping[str, Any], key: str, words: str) -> Table:
    rows = tuple(
        (f"{one['target']:.0%}", "out of reach", "", "", "")
        if one["threshold"] is None
        else (
            f"{one['target']:.0%}", f"{one['threshold']:.3f}", figure(100 * one["validation"]["precision"]),
            figure(None if one["precision"] is None else 100 * one["precision"]), figure(100 * one["share"]),
        )
        for one in section[key].get("targets", ())
    )  # fmt: skip
    note = "Thresholds are chosen on held-out train documents: the lowest that reached the precision there."
    head = ("Wanted precision", "Score from", "Precision held-out", "Precision in test", "Share kept in test")
    return Table(f"Thresholds for {words}", head, rows, note)


def _gain_table(section: Mapping[str, Any]) -> Table:
    rows = tuple(
        (pretty(one["metric"]), figure(one["base"]), figure(one["other"]), f"{one['difference']:+.2f}",
         "" if one["low"] is None else f"{one['low']:+.2f} to {one['high']:+.2f}", one["verdict"])
        for one in section["differences"]
        if one["bin"] == ALL
    )  # fmt: skip
    head = ("", section["base"], "this run", "Difference", f"{section['level']:.0%} interval", "")
    note = section.get("left_out") or "Those of all bins are in the result file."
    return Table(f"Figures against {section['base']}", head, rows, note)


def _label_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    shown = tuple(
        (one["text"], number(one["train_documents"]), number(one["test_positives"]), number(one["hits@10"]),
         figure(one["R@10"]), "; ".join(one["confused_with"][:2]))
        for one in rows
    )  # fmt: skip
    head = ("Label", "Train documents", "Test documents", "Found", "R@10", "")
    note = (
        "Of labels with at least 5 test documents. Found: among the first 10. Last column: what was predicted in their "
        "place, most often first."
    )
    return Table(title, head, shown, note)


def _ends(evaluation: Evaluation, name: str) -> dict[str, tuple[float, float]]:
    """Intervals of a bin by metric; empty where the result has none."""
    return {metric: (ends[0], ends[1]) for metric, ends in evaluation.intervals.get("bins", {}).get(name, {}).items()}


def _interval(evaluation: Evaluation, name: str) -> str:
    ends = _ends(evaluation, ALL).get(name)
    return "" if ends is None else f"{ends[0]:.1f} to {ends[1]:.1f}"


def _bar(one: FrequencyBin, ends: tuple[float, float] | None) -> Bar:
    counted = f"{number(one.labels)} labels, {number(one.pairs)} test pairs"
    return Bar(one.name, counted, one.metrics.get("R@10"), one.metrics.get("R@100"), ends)


_BIN_NOTE = (
    "R@k is the share of the test pairs of the row, P and PSP share its part of all hits, plain and weighted; "
    "coverage and F1 run over its labels in test. All in percent."
)


def _bin_table(bins: Sequence[FrequencyBin], title: str = "Quality by label frequency", note: str = _BIN_NOTE) -> Table:
    names = list(bins[0].metrics) if bins else []
    rows = tuple(
        (one.name, number(one.labels), number(one.test_labels), number(one.pairs))
        + tuple(figure(one.metrics.get(name)) for name in names)
        for one in bins
    )
    head = ("Train documents", "Labels", "In test", "Pairs", *(pretty(name).replace("@", " @") for name in names))
    return Table(title, head, rows, note)


def _top_table(metrics: Mapping[str, float | None]) -> Table:
    families = [name for name in ("P", "nDCG", "PSP", "PSnDCG") if f"{name}@1" in metrics]
    rows = tuple((name, *(figure(metrics.get(f"{name}@{k}")) for k in (1, 3, 5)), MEANING[name]) for name in families)
    return Table("Top of the ranking", ("", "@1", "@3", "@5", ""), rows)


def _facts(title: str, values: Mapping[str, Any], prefix: str = "") -> Table:
    rows: list[tuple[str, ...]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _facts(title, value, f"{prefix}{key} / ").rows
        else:
            words = str(key).replace("_", " ")
            name = SETTINGS.get(key, words if prefix else words[:1].upper() + words[1:])
            rows.append((prefix + name, number(value)))
    return Table(title, ("", ""), tuple(rows))
