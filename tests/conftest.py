"""A trained tiny model, made once for all tests that only read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from eclare_py.data.dataset import DataFolder, load_dataset
from eclare_py.estimator import EclareClassifier
from tests.tiny import build_folder, write_recipe


@dataclass(frozen=True)
class Tiny:
    """Data folder, recipe and model folder, on disk and in memory."""

    data: Path
    recipe: Path
    model: Path
    folder: DataFolder
    classifier: EclareClassifier


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    root = tmp_path_factory.mktemp("tiny")
    data, recipe = build_folder(root / "data"), write_recipe(root)
    folder = load_dataset(data)
    classifier = EclareClassifier.from_recipe(recipe, device="cpu").fit(folder)
    classifier.save(root / "model")
    return Tiny(data, recipe, root / "model", folder, classifier)
