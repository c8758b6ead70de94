"""Trackers against the real packages, writing to local files."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from eclare_py.cli.app import app
from eclare_py.config import to_mapping
from eclare_py.errors import UsageError
from eclare_py.train.fit import train
from eclare_py.train.tracking import MlflowTracker, TensorBoardTracker, Tracker, fan_out, open_tracker
from eclare_py.train.tracking.tracker import flat
from tests.tiny import arrays_of


class Recorder(Tracker):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def parameters(self, values):
        self.told.append(dict(values))

    def curve(self, name, step, value):
        self.told.append((name, step, value))

    def flush(self):
        self.told.append("flush")

    def outcome(self, facts, reason):
        self.told.append((dict(facts), reason))

    def close(self):
        self.told.append("close")


@pytest.fixture(autouse=True)
def quiet_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests reach no network."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, as making one takes seconds; each test has an experiment of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def only_run(uri: str, experiment: str) -> tuple[MlflowClient, Any]:
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, run


def told_by(fit: Any) -> list[tuple[str, dict[str, Any]]]:
    """Events that a training tells its listener."""
    events: list[tuple[str, dict[str, Any]]] = []
    fit(lambda event, values: events.append((event, dict(values))))
    return events


def test_events_become_parameters_curves_and_an_outcome() -> None:
    events = [
        ("start", {"recipe": {"name": "mine", "rank": {"seeds": 3, "support": {"kind": "lift"}}}}),
        ("stage", {"name": "surrogate", "epochs": 2, "steps": 7}),
        ("note", {"documents": 50, "labels": 9}),
        ("note", {"mining": "ranker", "epoch": 1}),
        ("step", {"stage": "surrogate", "epoch": 2, "step": 3, "loss": 1.5}),
        ("epoch", {"stage": "surrogate", "epoch": 2, "of": 2, "loss": 1.5}),
        ("validation", {"stage": "surrogate", "epoch": 2, "recall_at_50": 61.0}),
        ("step", {"stage": "fusion", "epoch": 1, "step": 1, "loss": 0.0}),
        ("validation", {"stage": "fusion", "epoch": 1, "metrics": {"P@1": 40.0, "tail_R@10": 20.0, "R@10": None}}),
        ("done", {"train_seconds": 3.5, "device": "cpu"}),
    ]
    with Recorder() as recorder:
        for event, values in events:
            recorder(event, values)
    assert recorder.told == [
        {"name": "mine", "rank.seeds": 3, "rank.support.kind": "lift"},
        {"data/documents": 50, "data/labels": 9},
        ("loss/surrogate", 10, 1.5),  # the third step after an epoch of seven
        "flush",
        ("held_out/surrogate/recall_at_50", 2, 61.0),
        "flush",
        ("held_out/fusion/P_at_1", 1, 40.0),
        ("held_out/fusion/tail_R_at_10", 1, 20.0),
        "flush",
        ({"train_seconds": 3.5, "device": "cpu"}, ""),
        "close",
    ]


def test_curves_of_a_training_in_tensorboard(tmp_path, dataset, recipe_of) -> None:
    recipe = recipe_of()
    with TensorBoardTracker(tmp_path, name="one") as tracker:
        events = told_by(lambda listener: train(dataset, recipe, listener=fan_out(tracker, listener), device="cpu"))
    read = EventAccumulator(str(tmp_path / "one"))
    read.Reload()
    for stage in ("surrogate", "ranker"):
        losses = [values["loss"] for event, values in events if event == "step" and values["stage"] == stage]
        points = read.Scalars(f"loss/{stage}")
        assert [point.step for point in points] == list(range(1, len(losses) + 1))
        assert [point.value for point in points] == pytest.approx(losses)
        figures = [v["recall_at_50"] for event, v in events if event == "validation" and v["stage"] == stage]
        assert [point.value for point in read.Scalars(f"held_out/{stage}/recall_at_50")] == pytest.approx(figures)
    (metrics,) = (values["metrics"] for event, values in events if event == "validation" and "metrics" in values)
    (final,) = read.Scalars("final/tail_R_at_10")
    assert final.value == pytest.approx(metrics["tail_R@10"])
    (text,) = read.Tensors("parameters/text_summary")[-1].tensor_proto.string_val
    assert "| training.batch_size | 16 |" in text.decode() and "| data/labels | 12 |" in text.decode()
    assert read.SummaryMetadata("_hparams_/experiment").plugin_data.plugin_name == "hparams"


def test_run_of_a_training_in_mlflow(store, dataset, recipe_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "labels")
    recipe = recipe_of()
    with MlflowTracker(store, name="one") as tracker:
        events = told_by(lambda listener: train(dataset, recipe, listener=fan_out(tracker, listener), device="cpu"))
    client, run = only_run(store, "labels")
    assert (run.info.run_name, run.info.status) == ("one", "FINISHED")
    expected = {name: str(value) for name, value in flat(to_mapping(recipe)).items()}
    assert expected.items() <= run.data.params.items()
    assert run.data.params["data/labels"] == "12"
    losses = [values["loss"] for event, values in events if event == "step" and values["stage"] == "surrogate"]
    history = sorted(client.get_metric_history(run.info.run_id, "loss/surrogate"), key=lambda point: point.step)
    assert [point.step for point in history] == list(range(1, len(losses) + 1))
    assert [point.value for point in history] == pytest.approx(losses)
    (metrics,) = (values["metrics"] for event, values in events if event == "validation" and "metrics" in values)
    assert run.data.metrics["held_out/fusion/P_at_1"] == metrics["P@1"]
    assert run.data.tags["device"] == "cpu" and run.data.metrics["train_seconds"] >= 0


@pytest.mark.parametrize(("error", "status"), [(ValueError("broken"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_mlflow_knows_how_a_training_ended(store, dataset, recipe_of, error, status) -> None:
    def stop(event: str, values: dict[str, Any]) -> None:
        if event == "epoch":
            raise error

    with pytest.raises(type(error)), MlflowTracker(store, experiment=status) as tracker:
        train(dataset, recipe_of(), listener=fan_out(tracker, stop), device="cpu")
    _, run = only_run(store, status)
    assert run.info.status == status
    assert run.data.tags["stopped"].startswith(type(error).__name__)
    assert run.data.metrics["loss/surrogate"] > 0  # what was told before is there


def test_a_run_whose_training_never_began_is_ended(store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "idle")
    with open_tracker(f"mlflow={store}", name="idle"):
        pass
    assert only_run(store, "idle")[1].info.status == "KILLED"


def test_a_tracker_that_fails_does_not_stop_the_training(dataset, recipe_of, caplog) -> None:
    class Broken(Recorder):
        def curve(self, name, step, value):
            raise OSError("the disk is full")

        def close(self):
            raise OSError("the disk is still full")

    with Broken() as tracker, caplog.at_level(logging.WARNING):
        pipeline = train(dataset, recipe_of(), listener=tracker, device="cpu")
    assert pipeline.n_labels == 12
    assert [type(one) for one in tracker.told] == [dict, dict]  # nothing after the first failure
    assert [record.getMessage() for record in caplog.records if "left out" in record.message] == [
        "Broken fails and is left out from here on: the disk is full",
        "Broken fails and is left out from here on: the disk is still full",
    ]


@pytest.mark.parametrize("word", ["tensorboard", "mlflow=", "wandb=here", "=x"])
def test_places_that_cannot_be_understood(word: str) -> None:
    with pytest.raises(UsageError, match="write tensorboard=DIR or mlflow=URI"):
        open_tracker(word, name="x")


def test_places_that_are_refused(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write to .*file"):
        open_tracker(f"tensorboard={tmp_path / 'file'}", name="x")
    with pytest.raises(UsageError, match="MLflow refuses nowhere://x"):
        open_tracker("mlflow=nowhere://x", name="x")


@pytest.mark.parametrize(
    ("word", "module", "package"),
    [("mlflow=x", "mlflow", "mlflow-skinny"), ("tensorboard=x", "torch.utils.tensorboard", "tensorboard")],
)
def test_a_missing_package_is_named(word, module, package, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"needs the package {package} .*pip install 'eclare_py\[tracking\]'"):
        open_tracker(word, name="x")
    assert list(tmp_path.iterdir()) == []


def test_command_line_tracks_and_trains_the_same_model(tiny: Any, store, tmp_path) -> None:
    out = tmp_path / "model"
    words = ["train", str(tiny.recipe), "--data", str(tiny.data), "--out", str(out), "--device", "cpu"]
    wrong = CliRunner().invoke(app, [*words, "--track", "wandb=x"])
    assert wrong.exit_code == 2 and "cannot track with 'wandb=x'" in wrong.stderr
    done = CliRunner().invoke(
        app, [*words, "--track", f"tensorboard={tmp_path / 'runs'}", "--track", f"mlflow={store}"]
    )
    assert done.exit_code == 0, done.output
    assert arrays_of(out) == arrays_of(tiny.model)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "start" and events[0]["recipe"]["name"] == "tiny"
    (figure,) = (one["recall_at_50"] for one in events if one["event"] == "validation" and one["epoch"] == 2
                 and one["stage"] == "ranker")  # fmt: skip
    _, run = only_run(store, "eclare_py")
    assert (run.info.run_name, run.data.metrics["held_out/ranker/recall_at_50"]) == ("model", figure)
    read = EventAccumulator(str(tmp_path / "runs" / "model"))
    read.Reload()
    assert read.Scalars("held_out/ranker/recall_at_50")[-1].value == pytest.approx(figure)
