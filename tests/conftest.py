"""A trained tiny model, made once for all tests that only read it; and no network for any of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eclare_py.data.dataset import DataFolder, load_dataset
from eclare_py.estimator import EclareClassifier
from eclare_py.rank.pipeline import Pipeline
from tests.offline.sitecustomize import ATTEMPTS, install
from tests.tiny import ROOT, build_folder, write_recipe

install()
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "tests" / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
)


@pytest.fixture(scope="session", autouse=True)
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of attempts to reach the network, of this process and of those that it starts."""
    file = tmp_path_factory.mktemp("offline") / "attempts"
    file.touch()
    os.environ[ATTEMPTS] = str(file)
    return file


@pytest.fixture(autouse=True)
def _nothing_leaves_the_machine(attempts: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that tried to; one that tries on purpose is marked."""
    before = attempts.read_text(encoding="utf-8")
    yield
    made = attempts.read_text(encoding="utf-8")[len(before) :]
    assert bool(made) == ("reaches_out" in request.keywords), f"reached for the network: {made}"


@dataclass(frozen=True)
class Tiny:
    """Data folder, recipe and model folder, on disk and in memory."""

    data: Path
    recipe: Path
    model: Path
    folder: DataFolder
    classifier: EclareClassifier


@pytest.fixture(scope="session", autouse=True)
def _compiled(request: pytest.FixtureRequest, attempts: Path) -> None:
    """Of several workers one compiles what a training needs, the others meanwhile what an answer needs.

    It stays in numba's cache, for them and for all the processes that they start.
    """
    worker = getattr(request.config, "workerinput", {}).get("workerid")
    if worker is None:
        return
    if worker != "gw0":
        pipeline = EclareClassifier.load(ROOT / "tests" / "fixtures" / "schema1" / "default").pipeline
        assert isinstance(pipeline, Pipeline)
        texts = ["a text", "another text"] * 20
        pipeline.rank(texts[:1], 3)
        pipeline.rank(texts, 3)
        pipeline.ranker.weigh(pipeline.encode(texts))
    request.getfixturevalue("tiny")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    root = tmp_path_factory.mktemp("tiny")
    data, recipe = build_folder(root / "data"), write_recipe(root)
    folder = load_dataset(data)
    with (tmp_path_factory.getbasetemp().parent / "compiling").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # who comes second finds the kernels compiled
        classifier = EclareClassifier.from_recipe(recipe, device="cpu").fit(folder)
        classifier.predict(folder.test.texts[:1])
    classifier.save(root / "model")
    return Tiny(data, recipe, root / "model", folder, classifier)
