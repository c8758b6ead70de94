"""Every problem of a data folder: the reader's own errors, all of them, and what only a whole folder shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eclare_py.data.dataset import no_pairs
from eclare_py.data.folder import FolderParts, read_folder
from eclare_py.data.groups import GroupRows
from eclare_py.data.lf_writer import GROUPS
from eclare_py.data.problems import MOST_ERRORS, Collector, Problem, TooManyProblems

_SHOWN = 5


def validate_folder(path: str | Path) -> list[Problem]:
    """List all problems of a data folder.

    Errors are those that `load_dataset` would stop at, the first of them the one that it names. Warnings are
    summaries, one for a file and kind: a text of train again in test (a leak), texts or ids that occur twice,
    documents without labels. Where labels are of groups: groups without labels, and labels that no member may carry.
    """
    collector = Collector()
    try:
        parts = read_folder(Path(path), collector)
    except TooManyProblems:
        collector.warning(Path(path), None, f"{MOST_ERRORS:,} errors are enough: the rest was not looked for")
        return collector.problems
    faulty = {(problem.path, problem.line) for problem in collector.problems}
    for split, rows in parts.documents.items():
        file = parts.files[split]
        _warn_repeated(rows.texts, "text", file, collector)
        _warn_repeated(rows.ids or [], "uid", file, collector)
        empty = [row for row in np.flatnonzero(np.diff(rows.labels.indptr) == 0).tolist() if row < len(rows.texts)]
        empty = [row for row in empty if rows.texts[row] and (str(file), row + 1) not in faulty]
        if split == "test" or parts.groups is None:
            _warn(empty, "documents have no label; they teach nothing and are scored as misses", file, collector)
    if parts.groups is not None:
        _warn_groups(parts, parts.groups, collector)
    if parts.labels.texts:
        _warn_repeated(parts.labels.texts, "text", parts.label_file, collector)
    _warn_leak(parts, collector)
    return collector.problems


def _warn_groups(parts: FolderParts, groups: GroupRows, collector: Collector) -> None:
    """Groups without labels, and labels that a filter pair takes from every member of their group."""
    file, n_labels = parts.path / GROUPS, groups.labels.shape[1]
    _warn(
        np.flatnonzero(np.diff(groups.labels.indptr) == 0).tolist(), "groups have no label; they teach nothing", file,
        collector,
    )  # fmt: skip
    pairs = parts.filters.get("train", no_pairs())
    pairs = pairs[(pairs < [len(groups.of), n_labels]).all(axis=1)]
    pairs = pairs[groups.of[pairs[:, 0]] >= 0]
    keys, counts = np.unique(groups.of[pairs[:, 0]] * n_labels + pairs[:, 1], return_counts=True)
    full = keys[counts == np.bincount(groups.of[groups.of >= 0])[keys // n_labels]]
    carried = [key // n_labels for key in full.tolist() if groups.labels[key // n_labels, key % n_labels]]
    _warn(carried, "labels of groups are filter pairs of all members; nobody gets them", file, collector)


def _warn_leak(parts: FolderParts, collector: Collector) -> None:
    if not {"train", "test"} <= set(parts.documents):
        return
    train = set(parts.documents["train"].texts) - {""}
    leaked = [row for row, text in enumerate(parts.documents["test"].texts) if text in train]
    name = parts.files["train"].name
    message = f"documents have a text that is also in {name} (train/test leak); remove them from one of the two"
    _warn(leaked, message, parts.files["test"], collector)


def _warn_repeated(values: Sequence[str], kind: str, file: Path, collector: Collector) -> None:
    if len(set(values)) == len(values):
        return
    seen = {""}
    again = []
    for row, value in enumerate(values):
        if value in seen and value:
            again.append(row)
        seen.add(value)
    _warn(again, f"rows repeat the {kind} of a row before", file, collector)


def _warn(rows: Sequence[int], message: str, file: Path, collector: Collector) -> None:
    if rows:
        lines = ", ".join(str(row + 1) for row in rows[:_SHOWN]) + (", ..." if len(rows) > _SHOWN else "")
        collector.warning(file, rows[0] + 1, f"{len(rows)} {message} (lines {lines})")
