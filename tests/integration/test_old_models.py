"""Models that earlier versions saved load and answer as they did; some are kept of every schema version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.persist import load_pipeline
from eclare_py.storage.manifest import SCHEMA

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
OLD = {name: json.loads((FIXTURES / name / "answers.json").read_text()) for name in sorted(
    path.name for path in FIXTURES.iterdir())}  # fmt: skip


def test_there_are_models_of_every_schema_version() -> None:
    assert set(OLD) == {f"schema{version}" for version in range(1, SCHEMA + 1)}


@pytest.mark.parametrize(("folder", "kind"), [(name, kind) for name, old in OLD.items() for kind in old["answers"]])
def test_it_loads_and_answers_as_it_did(folder: str, kind: str) -> None:
    old: dict[str, Any] = OLD[folder]
    model, expected = load_pipeline(FIXTURES / folder / kind), old["answers"][kind]
    ranking = model.rank(old["texts"], old["k"])
    scores = np.array([[-np.inf if score is None else score for score in row] for row in expected["scores"]])
    np.testing.assert_allclose(ranking.scores, scores, atol=1e-5)
    clear = np.abs(np.diff(scores, axis=1, prepend=np.inf, append=-np.inf)) > 1e-4  # near ties may change places
    sure = clear[:, 1:] & clear[:, :-1] & np.isfinite(scores)
    assert sure.sum() > 5
    assert np.array_equal(ranking.indices[sure], np.array(expected["labels"])[sure])
    assert model.facts["train_seconds"] > 0 and model.describe()["labels"] == 20
