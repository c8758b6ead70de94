"""The outcome of an evaluation as a value, and its JSON form."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eclare_py.errors import DataError, ModelError
from eclare_py.metrics.rare import FrequencyBin
from eclare_py.storage import read_json, render_json, write_json

# The figures of a result file, in the order in which they are shown.
METRICS = (
    *(f"{name}@{k}" for name in ("P", "nDCG", "PSP", "PSnDCG") for k in (1, 3, 5)),
    "R@10", "R@100", "tail_R@10", "coverage@10", "tail_coverage@10", "macro_F1@5", "micro_F1@5", "hit@10", "MRR@10",
)  # fmt: skip

_SECTIONS = ("settings", "cost", "selective", "calibration", "intervals", "against", "extremes", "examples")


@dataclass(frozen=True)
class Evaluation:
    """Quality of one ranking on one test set.

    Attributes:
        metrics: The figures of `METRICS`, in percent; None where there is nothing to find, as no rare label in test.
        bins: Quality by label frequency, rare to frequent.
        settings: What the figures depend on: propensity A and B, tail threshold, filter pairs, sizes of the test set.
        cost: Seconds, memory and the like, where someone measured them.
        deciles: The same as `bins` over ranges of frequency with a tenth of the test pairs each.
        selective: What can be automated at which precision (`score_quality.selective_section`); empty where unknown.
        calibration: How far scores are probabilities (`score_quality.calibration_section`); empty where unknown.
        intervals: Of the figures, over documents (`sections.intervals_section`).
        against: Differences to another run (`sections.against_section`), where one was given.
        extremes: Labels that are found best and worst (`sections.extremes_section`).
        examples: Predictions of some documents (`sections.examples_section`).
    """

    metrics: dict[str, float | None]
    bins: list[FrequencyBin]
    settings: dict[str, Any]
    cost: dict[str, Any] = field(default_factory=dict)
    deciles: list[FrequencyBin] = field(default_factory=list)
    selective: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    intervals: dict[str, Any] = field(default_factory=dict)
    against: dict[str, Any] = field(default_factory=dict)
    extremes: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, Any] = field(default_factory=dict)

    def with_cost(self, cost: Mapping[str, Any]) -> Evaluation:
        """The same with measured cost."""
        return dataclasses.replace(self, cost=dict(cost))

    def to_mapping(self) -> dict[str, Any]:
        """Plain data with the names of the attributes as keys."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """The text of a result file; the same evaluation gives the same text."""
        return render_json(self.to_mapping(), indent=2)

    def save(self, path: str | Path) -> None:
        """Write a result file atomically."""
        write_json(path, self.to_mapping(), indent=2)

    @classmethod
    def from_mapping(cls, mapping: Any, where: str = "result") -> Evaluation:
        """Build from plain data; metrics that this version does not know are kept.

        Raises:
            DataError: Not the form of a result.
        """
        if not isinstance(mapping, dict) or not isinstance(mapping.get("metrics"), dict):
            raise DataError("is not a result of `evaluate`: it has no metrics", path=where)
        for name, value in mapping["metrics"].items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if value is not None and not number:
                raise DataError(f"metric {name} is {value!r}, expected a number or null", path=where)
        bins, deciles = (_bins(mapping.get(key, []), key, where) for key in ("bins", "deciles"))
        rest = {name: mapping.get(name, {}) for name in _SECTIONS}
        if not all(isinstance(one, dict) for one in rest.values()):
            raise DataError(f"{', '.join(_SECTIONS)} must be objects", path=where)
        metrics = {name: None if value is None else float(value) for name, value in mapping["metrics"].items()}
        return cls(metrics, bins, deciles=deciles, **rest)


def _bins(values: Any, key: str, where: str) -> list[FrequencyBin]:
    """Bins from plain data.

    Raises:
        DataError: Not the form of bins.
    """
    names = {one.name for one in dataclasses.fields(FrequencyBin)}
    if not isinstance(values, list) or not all(isinstance(one, dict) and set(one) == names for one in values):
        raise DataError(f"{key} must be a list of objects with {', '.join(sorted(names))}", path=where)
    return [FrequencyBin(**one) for one in values]


def read_evaluation(path: str | Path) -> Evaluation:
    """Read a result file that `Evaluation.save` wrote.

    Raises:
        DataError: Missing, a folder, not JSON, or not the form of a result; names the file.
    """
    if Path(path).is_dir():
        raise DataError("is a folder: name a result file that `eclare evaluate --json` wrote", path=path)
    try:
        mapping = read_json(path)
    except ModelError as error:
        raise DataError(str(error)) from error
    return Evaluation.from_mapping(mapping, where=str(path))
