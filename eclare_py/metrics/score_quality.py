"""The sections `selective` and `calibration` of a result: scores, thresholds and shares as numbers from 0 to 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.metrics.bin_thresholds import BinThresholds, bin_thresholds, bins_of
from eclare_py.metrics.calibration import Reliability, Split, brier, reliability
from eclare_py.metrics.rare import ranges
from eclare_py.metrics.selective import (
    CONFIDENCE,
    TARGETS,
    RiskCoverage,
    Scored,
    Selection,
    lowest_threshold,
    risk_coverage,
    select,
)
from eclare_py.types import FloatArray

_PLACES = 6  # digits that a result file keeps of a share


def selective_section(test: Scored, validation: Scored | None) -> dict[str, Any]:
    """What can be automated at which precision: `first` of the first prediction of a document, `all` of all k.

    Each holds `area` (AURC), `excess` over the best possible, `curve` (share automated, risk, threshold) and `targets`:
    for each of `TARGETS` the threshold, what it gives on validation, and on test `precision` and `share`, which in
    `first` is C@1(target); under `guarded` the same with the guard of `CONFIDENCE`. A target has `by_bin` too, where it
    is in reach: guarded thresholds by label frequency, as `eclare predict` uses them (--min-precision those of `first`,
    --precision those of `all`), what they give in each bin, and what the common guarded threshold gives there.

    Args:
        test: (N, k) test predictions.
        validation: (H, k) predictions that thresholds are chosen on; None where there are none: no targets then.
    """
    found: dict[str, Any] = {
        "k": test.hit.shape[1],
        "validation_documents": None if validation is None else len(validation.hit),
    }
    for name, k in (("first", 1), ("all", test.hit.shape[1])):
        own, chosen = test.top(k), None if validation is None else validation.top(k)
        curve = risk_coverage(own)
        found[name] = {"area": _short(curve.area), "excess": _short(curve.excess), "curve": _curve(curve)}
        found[name]["targets"] = [] if chosen is None else [_target(own, chosen, goal) for goal in TARGETS]
    return found


def calibration_section(test: Scored) -> dict[str, Any]:
    """How far the scores of the (N, k) test predictions are probabilities.

    Holds the number of `predictions`, `brier` with its parts, and for bins of equal width (`equal_width`) and of
    equally many predictions (`equal_mass`) `expected_error` (ECE), `largest_error` and the `bins` of the diagram.
    """
    scores, hit = test.scores[test.there], test.hit[test.there]
    parts = {name: _short(value) for name, value in dataclasses.asdict(brier(scores, hit)).items()}
    splits: Mapping[str, Split] = {"equal_width": "width", "equal_mass": "mass"}
    diagrams = {name: _diagram(reliability(scores, hit, split=split)) for name, split in splits.items()}
    return {"predictions": len(scores), "brier": parts, **diagrams}


def _target(test: Scored, validation: Scored, goal: float) -> dict[str, Any]:
    outcome: dict[str, Any] = {"target": goal, **_chosen(test, validation, goal, None)}
    outcome["guarded"] = _chosen(test, validation, goal, CONFIDENCE)
    by_bin = bin_thresholds(validation, goal, confidence=CONFIDENCE)
    if by_bin is not None:
        outcome["by_bin"] = _by_bin(test, validation, by_bin)
    return outcome


def _chosen(test: Scored, validation: Scored, goal: float, confidence: float | None) -> dict[str, Any]:
    threshold = lowest_threshold(validation, goal, confidence=confidence)
    on_validation = _outcome(select(validation, threshold))
    return {"threshold": threshold, "validation": on_validation, **_outcome(select(test, threshold))}


def _by_bin(test: Scored, validation: Scored, thresholds: BinThresholds) -> dict[str, Any]:
    least = thresholds.of(test.frequencies)
    places = bins_of(test.frequencies, thresholds.edges)
    bins = []
    for number, name in enumerate(one.name for one in ranges(thresholds.edges)):
        part = test.only(places == number)
        bins.append(
            {
                "name": name,
                "threshold": thresholds.thresholds[number],
                "validation_predictions": thresholds.counts[number],
                "predictions": int(part.there.sum()),
                **_outcome(select(part, least)),
                "common": _outcome(select(part, thresholds.common)),
            }
        )
    on_validation = select(validation, thresholds.of(validation.frequencies))
    return {"validation": _outcome(on_validation), **_outcome(select(test, least)), "bins": bins}


def _outcome(selection: Selection) -> dict[str, Any]:
    precision = selection.precision
    return {
        "precision": None if precision is None else _short(precision),
        "share": _short(selection.share),
        "kept": selection.kept,
        "hits": selection.hits,
        "documents": selection.documents,
    }


def _curve(curve: RiskCoverage) -> dict[str, list[float]]:
    return {name: _shorts(getattr(curve, name)) for name in ("share", "risk", "threshold")}


def _diagram(found: Reliability) -> dict[str, Any]:
    columns = {name: _shorts(getattr(found, name)) for name in ("low", "high", "score", "share")}
    bins = [
        dict(zip([*columns, "count"], row, strict=True))
        for row in zip(*columns.values(), found.count.tolist(), strict=True)
    ]
    return {
        "expected_error": _short(found.expected_error),
        "largest_error": _short(found.largest_error),
        "bins": bins,
    }


def _short(value: float) -> float:
    return round(value, _PLACES)


def _shorts(values: npt.NDArray[np.float64] | FloatArray) -> list[float]:
    return [_short(value) for value in values.tolist()]
