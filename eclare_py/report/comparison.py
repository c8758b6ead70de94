"""A comparison in words and tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from eclare_py.metrics.comparison import Comparison, Difference, Study
from eclare_py.metrics.per_document import ALL
from eclare_py.report.model import ABSENT, Report, Table, figure, pretty
from eclare_py.report.page import render_page
from eclare_py.storage import atomic_file

_NOTHING = "nothing"


def in_words(comparison: Comparison) -> dict[str, str]:
    """One line each for what is better, what is worse, and what is noise."""
    noise = comparison.of("noise")
    widest = max(noise, key=lambda one: abs(one.difference), default=None)
    lines = {verdict: _listed(comparison.of(verdict)) or _NOTHING for verdict in ("better", "worse")}
    lines["noise"] = _NOTHING
    if widest is not None:
        of_all = f"{len(noise)} of {len(comparison.differences)} figures"
        reach = "" if widest.low is None else f", which may be anything from {widest.low:+.2f} to {widest.high:+.2f}"
        lines["noise"] = f"{of_all}; the largest is {pretty(widest.name)} {widest.difference:+.2f}{reach}"
    return lines


def figures_table(study: Study) -> Table:
    """Each group's figures with their intervals over documents."""
    head = ("", "Labels", *(part for name in study.figures for part in (name, "interval")))
    columns = [[(figure(x.value), f"{x.low:.1f} to {x.high:.1f}") for x in group] for group in study.figures.values()]
    level = f"{study.settings['level']:.0%}"
    note = f"In percent, means over the runs; {level} intervals over test documents, the runs taken as they are."
    return Table("Figures by group", head, _rows(study, columns), note)


def seeds_table(study: Study) -> Table:
    """How far runs of one group lie apart; without rows where each group is one run."""
    figures = {name: group for name, group in study.figures.items() if study.runs[name] > 1}
    columns = [[(ABSENT if x.spread is None else f"{x.spread:.2f}",) for x in group] for group in figures.values()]
    head = ("", "Labels", *(f"{name}, {study.runs[name]} runs" for name in figures))
    note = "Standard deviation of each figure over the runs of a group, in points."
    return Table("Variation over seeds", head, _rows(study, columns) if columns else (), note)


def verdict_table(comparison: Comparison) -> Table:
    """What is better, worse and noise, one row each."""
    rows = tuple(
        (verdict.capitalize(), str(len(comparison.of(verdict))), line) for verdict, line in in_words(comparison).items()
    )
    return Table(_title(comparison), ("", "Figures", ""), rows)


def difference_table(comparison: Comparison, level: float) -> Table:
    """Every figure of two groups, with its difference, interval and p."""
    head = ("", "Labels", comparison.base, comparison.other, "Difference", f"{level:.0%} interval", "p (Holm)", "")
    rows = tuple(
        (pretty(one.metric), one.bin, figure(one.base), figure(one.other), f"{one.difference:+.2f}",
         ABSENT if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}", _p(one.p_adjusted), one.verdict)
        for one in comparison.differences
    )  # fmt: skip
    note = (
        "Differences in points. Intervals are of each figure by itself; p is corrected for all figures compared, so a "
        "difference may be noise although its interval leaves out 0."
    )
    return Table(_title(comparison), head, rows, note)


def build_page(study: Study, files: Mapping[str, Sequence[str]], notes: Sequence[str]) -> Report:
    """The page: verdicts first, then the differences, then each group's figures.

    Args:
        study: Of `compare`.
        files: Results of each group.
        notes: What a reader should know before he trusts it.
    """
    level = study.settings["level"]
    names = list(study.figures)
    verdicts = [verdict_table(one) for one in study.comparisons]
    details = [difference_table(one, level) for one in study.comparisons]
    facts = (
        Table("Runs", ("", ""), tuple((name, ", ".join(paths)) for name, paths in files.items())),
        Table("Method", ("", ""), tuple((key.capitalize(), str(value)) for key, value in study.settings.items())),
    )
    return Report(
        title=f"{', '.join(names[1:])} against {names[0]}" if len(names) > 1 else names[0],
        subtitle=" ".join(notes),
        tiles=(),
        bars=(),
        tables=(*verdicts, *details, figures_table(study), seeds_table(study)),
        facts=facts,
        examples=(),
    )


def write_page(report: Report, path: str | Path) -> None:
    """Write the page atomically; it needs nothing else."""
    text = render_page(report)
    with atomic_file(path) as handle:
        handle.write(text)


def _rows(study: Study, columns: Sequence[Sequence[tuple[str, ...]]]) -> tuple[tuple[str, ...], ...]:
    """Metric and bin of each figure, followed by its part of each column."""
    cells = [(pretty(one.metric), one.bin) for one in next(iter(study.figures.values()))]
    return tuple(
        (*cell, *(part for one in parts for part in one)) for cell, *parts in zip(cells, *columns, strict=True)
    )


def _title(comparison: Comparison) -> str:
    return f"{comparison.other} against {comparison.base}"


def _listed(differences: Sequence[Difference]) -> str:
    """`R@10 +0.90 [3-5: +2.10, 6-10: +1.75]; P@1 +0.40`: bins stand behind their metric."""
    metrics: dict[str, list[Difference]] = {}
    for one in differences:
        metrics.setdefault(one.metric, []).append(one)
    parts = []
    for metric, group in metrics.items():
        whole = "".join(f" {one.difference:+.2f}" for one in group if one.bin == ALL)
        bins = ", ".join(f"{one.bin}: {one.difference:+.2f}" for one in group if one.bin != ALL)
        parts.append(f"{pretty(metric)}{whole}{f' [{bins}]' if bins else ''}")
    return "; ".join(parts)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
