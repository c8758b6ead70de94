"""Writing the report of an evaluation: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eclare_py.metrics.result import Evaluation
from eclare_py.report.model import Example, Prediction, Report, build_report
from eclare_py.report.page import render_page
from eclare_py.storage import atomic_file

__all__ = ["Example", "Prediction", "Report", "build_report", "render_html", "write_html"]


def render_html(evaluation: Evaluation, *, title: str, examples: Sequence[Example] = ()) -> str:
    """The page as text; the same input gives the same text.

    Args:
        evaluation: Of `evaluate`.
        title: Name of the model and the data.
        examples: Documents to show with their predictions; they and their labels become part of the page.
    """
    return render_page(build_report(evaluation, title=title, examples=examples))


def write_html(evaluation: Evaluation, path: str | Path, *, title: str, examples: Sequence[Example] = ()) -> None:
    """Write the page atomically: inline style and drawings, no script, nothing loaded from elsewhere.

    Args:
        evaluation: Of `evaluate`.
        path: The HTML file.
        title: Name of the model and the data.
        examples: Documents to show with their predictions; they and their labels become part of the page.
    """
    text = render_html(evaluation, title=title, examples=examples)
    with atomic_file(path) as handle:
        handle.write(text)
