"""Results of `eclare evaluate` as runs: read with their scores by document, checked, and grouped by recipe."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclare_py.errors import DataError, UsageError
from eclare_py.metrics.per_document import DocumentScores, documents_path, read_document_scores, unpaired
from eclare_py.metrics.result import Evaluation, read_evaluation

BY = ("settings", "name", "file")
# What the figures depend on besides the test set; where it differs, rare labels and propensities are not the same ones.
_BASIS = ("train_documents", "propensity_A", "propensity_B", "tail")


@dataclass(frozen=True)
class Run:
    """One result: the file, its figures, and what each document adds to them."""

    path: Path
    evaluation: Evaluation
    scores: DocumentScores

    @property
    def origin(self) -> Mapping[str, Any]:
        """Recipe, seed, fingerprint of the settings and training data; empty in results that do not tell."""
        origin = self.evaluation.settings.get("run")
        return origin if isinstance(origin, Mapping) else {}

    @property
    def name(self) -> str:
        """The recipe's name, or the file's where the result has none."""
        return str(self.origin.get("recipe") or self.path.stem)

    def key(self, by: str) -> tuple[str, ...]:
        """What the runs of one group have in common."""
        if by == "file" or not self.origin:
            return ("file", str(self.path))
        if by == "name":
            return ("name", self.name)
        return ("settings", *(str(self.origin.get(part)) for part in ("settings", "data", "documents")))


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """Read results that are to be compared.

    Raises:
        DataError: A result or its scores by document are missing or damaged, or two have different test sets.
        UsageError: A file is named twice.
    """
    runs: list[Run] = []
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise UsageError(f"{path} and {seen[path.resolve()]} are the same file: name each result once")
        seen[path.resolve()] = path
        evaluation, beside = read_evaluation(path), documents_path(path)
        if not beside.exists():
            raise DataError(f"{beside.name} is missing beside it: evaluate again with this version", path=path)
        runs.append(Run(path, evaluation, read_document_scores(beside)))
        if reason := unpaired(runs[-1].scores, runs[0].scores):
            raise DataError(f"cannot be compared with {runs[0].path}: {reason}", path=path)
    return runs


def group_runs(runs: Sequence[Run], *, by: str = "settings") -> dict[str, list[Run]]:
    """Put runs together that differ by their seed alone; groups are in the order of their first run.

    Args:
        runs: Of `read_runs`.
        by: settings: the same recipe settings but the seed, trained on the same data. name: the recipe's name. file:
            each one by itself. Results that do not tell their recipe stand by themselves. So do those of the same
            settings with one seed: a model and what it was fine-tuned or given labels to be, or one at several lifts.

    Returns:
        Runs by the name of their group, which is the recipe's, with the first file's where two are called the same.

    Raises:
        UsageError: An unknown `by`.
    """
    if by not in BY:
        raise UsageError(f"--by {by} is unknown: choose {', '.join(BY)}")
    groups = _grouped(runs, [run.key(by) for run in runs])
    if by == "settings":
        apart = {key for key, group in groups.items() if _repeats_a_seed(group)}
        groups = _grouped(runs, [run.key("file") if run.key(by) in apart else run.key(by) for run in runs])
    named: dict[str, list[Run]] = {}
    names = [group[0].path.stem if by == "file" else group[0].name for group in groups.values()]
    for name, group in zip(names, groups.values(), strict=True):
        place = name if names.count(name) == 1 else f"{name} ({group[0].path.with_suffix('')})"
        named[place] = group
    return named


def _grouped(runs: Sequence[Run], keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], list[Run]]:
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run, key in zip(runs, keys, strict=True):
        groups.setdefault(key, []).append(run)
    return groups


def _repeats_a_seed(group: Sequence[Run]) -> bool:
    seeds = [str(run.origin.get("seed")) for run in group]
    return len(set(seeds)) < len(seeds)


def find_groups(words: Iterable[str]) -> dict[str, list[Path]]:
    """The files of `NAME=GLOB` words, sorted; a name that is given twice gets both.

    Raises:
        UsageError: No `=`, or a pattern that no file matches.
    """
    groups: dict[str, list[Path]] = {}
    for word in words:
        name, equals, pattern = word.partition("=")
        if not equals or not name.strip() or not pattern:
            raise UsageError(f"--group {word!r} is not of the form NAME=GLOB")
        found = [Path(path) for path in sorted(glob.glob(pattern))]
        if not found:
            raise UsageError(f"--group {word!r}: no file matches {pattern}")
        groups.setdefault(name.strip(), []).extend(found)
    return groups


def match_runs(groups: Mapping[str, Sequence[Run]]) -> dict[str, list[Run]]:
    """The groups with their runs in the order of their seeds, which have to be the same ones in each group.

    Raises:
        UsageError: A result does not tell its seed, or groups have other seeds.
    """
    matched: dict[str, list[Run]] = {}
    wanted: list[int] | None = None
    for name, runs in groups.items():
        seeds = [run.origin.get("seed") for run in runs]
        known = sorted(seed for seed in seeds if isinstance(seed, int))
        wanted = known if wanted is None else wanted
        if len(set(known)) < len(runs) or known != wanted:
            raise UsageError(
                f"--matched needs the same seeds once in each group: {name} has {seeds}, expected {wanted}"
            )
        matched[name] = [runs[seeds.index(seed)] for seed in known]
    return matched


def caveats(groups: Mapping[str, Sequence[Run]]) -> list[str]:
    """What a reader should know before he trusts a comparison of these groups."""
    notes = []
    base, *others = groups
    alone = [name for name in others if len(groups[base]) == len(groups[name]) == 1]
    borrowing = [name for name in others if (len(groups[base]) == 1) != (len(groups[name]) == 1)]
    if alone:
        notes.append(
            f"One run each, {', '.join(alone)} against {base}: variation over seeds is not covered, and another "
            "seed may give another answer."
        )
    if borrowing:
        notes.append(
            f"One run on one side, {', '.join(borrowing)} against {base}: its seeds are taken to vary as those of the "
            "other side."
        )
    runs = [run for group in groups.values() for run in group]
    if len({run.scores.basis for run in runs}) > 1:
        return notes  # the comparison leaves out what would not be the same, and says so
    for key in _BASIS:
        values = {str(run.evaluation.settings[key]) for run in runs if key in run.evaluation.settings}
        if len(values) > 1:
            notes.append(
                f"The results differ in {key.replace('_', ' ')} ({', '.join(sorted(values))}): propensity-scored "
                "figures and label bins are not the same ones."
            )
    return notes
