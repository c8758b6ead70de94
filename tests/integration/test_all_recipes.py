"""Every recipe of the package does all that a user may ask: train, answer, save, load, go on after a kill.

Recipes are found in the folder of the package, so a new one is tested without an edit here; where it needs settings to
be small enough, they go into `SMALL`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eclare_py import EclareClassifier
from eclare_py.cli.app import app
from eclare_py.config import describe
from eclare_py.recipes import recipes
from eclare_py.train.recipe import Recipe
from tests.tiny import MINILM, arrays_of, python

# Laid over every recipe, as all have all sections; keys that this version does not know are left out.
SMALL: dict[str, Any] = {
    "document.dim": 16,
    "graph.walk_length": 50,
    "index.exact_below": 50,
    "index.beam": 6,
    "index.beam_share": 1.0,
    "linear.max_leaf": 8,
    "linear.beam": 3,
    "rank.steps": 150,
    "rank.fusion_batch": 512,
    "rank.hidden": 8,
    "rank.shortlist": 30,
    "rank.linear_candidates": 12,
    "rank.graph_candidates": 10,
    "rank.seeds": 5,
    "training.surrogate_epochs": 2,
    "training.batch_size": 64,
    "training.checkpoint_seconds": 0,
    "transformer.model": str(MINILM),
    "transformer.layers": 1,
    "transformer.last_layers": 1,
    "transformer.max_length": 8,
    "transformer.rate": 1e-3,
    "elias.max_leaf": 8,
    "elias.slots": 30,
    "elias.beam": 4,
    "elias.shortlist": 40,
    "elias.warm_epochs": 1,
    "elias.fixed_epochs": 1,
    "elias.learned_epochs": 1,
    "elias.batch_size": 64,
    "lightxml.hidden": 16,
    "lightxml.max_group": 8,
    "lightxml.top_groups": 4,
    "lightxml.beam": 6,
    "lightxml.epochs": 3,
    "lightxml.batch_size": 64,
    "rank_ae.latent": 24,
    "rank_ae.decoder": 32,
    "rank_ae.squeeze": 4,
    "rank_ae.epochs": 6,
    "rank_ae.batch_size": 32,
    "rank_ae.at_hand": 64,
    "resolutions.min_clusters": 4,
    "resolutions.last_epochs": 1,
    "resolutions.batch_size": 64,
}
CHANCE = 4.0  # P@1 of a random label: 3 to 4 of the 90 labels are relevant

# Runs `eclare ...` and kills itself outright at a step: argv = number of the step, arguments.
KILL_AT = """
import os, signal, sys
from eclare_py.cli.progress import TrainingProgress
left = int(sys.argv[1])
heard = TrainingProgress.__call__
def listen(self, name, values):
    global left
    heard(self, name, values)
    left -= name == "step"
    if name == "step" and left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingProgress.__call__ = listen
sys.argv = ["eclare", *sys.argv[2:]]
from eclare_py.cli import main
main()
"""


def small() -> dict[str, Any]:
    """The settings that this version knows."""
    known = {one.key for one in describe(Recipe)}
    return {key: value for key, value in SMALL.items() if key in known}


@dataclass(frozen=True)
class Trained:
    """A model of a recipe, in memory and saved, and how many steps its training told of."""

    recipe: str
    classifier: EclareClassifier
    model: Path
    steps: int


@pytest.fixture(scope="module", params=sorted(recipes()))
def trained(request: pytest.FixtureRequest, tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    seen: list[str] = []
    classifier = EclareClassifier(request.param, overrides=small(), device="cpu")
    classifier.fit(tiny.folder, listener=lambda event, values: seen.append(event))
    model = tmp_path_factory.mktemp(request.param) / "model"
    classifier.save(model)
    yield Trained(request.param, classifier, model, seen.count("step"))


def call(*words: str | Path) -> str:
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_better_than_chance(trained: Trained, tiny: Any) -> None:
    test = tiny.folder.test
    ranking = trained.classifier.predict(test.texts, 7)
    assert ranking.indices.shape == (len(test), 7) and (ranking.indices >= 0).all(axis=1).any()
    assert (np.diff(ranking.scores, axis=1)[ranking.indices[:, 1:] >= 0] <= 0).all()
    assert trained.classifier.evaluate(tiny.folder).metrics["P@1"] > 2 * CHANCE


def test_what_it_saw_in_training_is_the_train_split(trained: Trained, tiny: Any) -> None:
    """Held-out documents count too: bins and propensities are those that published figures of the data set have."""
    train, model = tiny.folder.train, trained.classifier.pipeline
    np.testing.assert_array_equal(model.frequencies, train.label_frequencies)
    assert model.n_documents == train.n_documents
    assert trained.classifier.evaluate(tiny.folder) == trained.classifier.evaluate(tiny.folder, train=train)


def test_loaded_it_answers_the_same(trained: Trained, tiny: Any, tmp_path: Path) -> None:
    texts, again = tiny.folder.test.texts, EclareClassifier.load(trained.model)
    before, after = trained.classifier.predict(texts, 7), again.predict(texts, 7)
    np.testing.assert_array_equal(after.indices, before.indices)
    np.testing.assert_array_equal(after.scores, before.scores)
    assert again.describe() == trained.classifier.describe()
    again.save(tmp_path / "copy")
    assert arrays_of(tmp_path / "copy") == arrays_of(trained.model)


def test_killed_half_way_it_goes_on_to_the_same_model(trained: Trained, tiny: Any, tmp_path: Path) -> None:
    settings = [word for key, value in small().items() for word in ("--set", f"{key}={json.dumps(value)}")]
    words = ["train", trained.recipe, "--data", str(tiny.data), "--out", "model", "--device", "cpu", *settings]
    killed = python("-c", KILL_AT, str(max(trained.steps // 2, 1)), *words, cwd=tmp_path)
    assert killed.returncode == -9, killed.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.lock", "model.train"]
    kept = (tmp_path / "model.train" / "checkpoint").is_dir()
    assert kept or trained.classifier.settings().method == "linear"  # which has no steps to save
    words[words.index("model")] = str(tmp_path / "model")
    call(*words, *(["--resume"] if kept else []))
    assert arrays_of(tmp_path / "model") == arrays_of(trained.model)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_commands_know_it(trained: Trained, tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("some text\n" + tiny.folder.test.texts[0] + "\n")
    answered = call("predict", trained.model, "--input", tmp_path / "texts.txt")
    assert trained.classifier.predict_names([tiny.folder.test.texts[0]], 1)[0][0][0] in answered
    call("evaluate", trained.model, "--data", tiny.data, "--json", tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert written["P@1"] == pytest.approx(trained.classifier.evaluate(tiny.folder).metrics["P@1"])
    shown = json.loads(call("inspect", trained.model, "--json"))
    sizes = next(values for title, values in shown.items() if title.startswith("On disk"))
    assert "features" in sizes and shown["Training"]["labels"] == 90
