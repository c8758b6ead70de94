"""Labels of groups, as a user meets them: grouped, checked, described, trained on, evaluated, compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eclare_py import EclareClassifier, load_dataset
from eclare_py.cli.app import app
from eclare_py.data.aggregated import AggregatedDataset, aggregate
from eclare_py.data.imputed import ImputedDataset
from eclare_py.train.imputation.grouping import form_groups
from tests.tiny import ROOT, arrays_of

sys.path.insert(0, str(ROOT / "experiments"))  # the scripts are no package

from runner import Change, Experiment, Results, Variant, main  # noqa: E402
from runner.assignment import assignment  # noqa: E402
from runner.store import Store  # noqa: E402

LINEAR = {"linear.max_leaf": 8, "linear.beam": 3}


def eclare(*words: Any, code: int = 0) -> str:
    """Run a command in this process; what it wrote to both streams."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def grouped(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("grouped") / "data"
    said = eclare("data", "group", tiny.data, "--size", "3", "--out", out)
    assert f"{len(tiny.folder.train):,} train documents in" in said
    return out


def test_the_folder_holds_groups_and_the_test_split_as_it_was(grouped: Path, tiny: Any) -> None:
    data, truth = load_dataset(grouped), tiny.folder
    assert isinstance(data.train, AggregatedDataset) and data.test is not None
    assert data.train.n_groups == -(-len(truth.train) // 3) and data.train.texts == truth.train.texts
    again = aggregate(truth.train, form_groups(truth.train, size=3, seed=0))
    np.testing.assert_array_equal(data.train.groups, again.groups)
    np.testing.assert_array_equal(data.train.group_labels.toarray(), again.group_labels.toarray())
    np.testing.assert_array_equal(data.test.labels.toarray(), truth.test.labels.toarray())
    np.testing.assert_array_equal(data.train.filter_pairs, truth.train.filter_pairs)
    card = json.loads((grouped / "card.json").read_text())
    assert card["groups"] == {"size": 3, "by": "random", "seed": 0, "of": truth.name}
    said = eclare("data", "validate", grouped, "--ignore-warnings")
    assert "no problem found" in said or "0 errors" in said


def test_it_is_described(grouped: Path) -> None:
    facts = json.loads(eclare("data", "info", grouped, "--json"))
    shown = eclare("inspect", grouped)
    assert facts["train"]["groups"] > 0 and facts["train"]["documents_per_group"]["max"] == 3
    assert "labels are of groups" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--by", "chance"], "choose random or similar"), (["--size", "0"], "size=0 must be at least 1")],
)
def test_a_wrong_call_is_refused(options: list[str], words: str, tiny: Any, tmp_path: Path) -> None:
    assert words in eclare("data", "group", tiny.data, *options, "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()
    assert "whose labels would be lost" in eclare("data", "group", tiny.data, "--out", tiny.data, code=2)


def test_training_sees_groups_and_says_what_it_does(grouped: Path, tiny: Any, tmp_path: Path) -> None:
    settings = [word for key, value in LINEAR.items() for word in ("--set", f"{key}={value}")]
    said = eclare("train", "xr_linear", "--data", grouped, "--out", tmp_path / "model", *settings)
    assert "stage imputation" in said and "imputation.method=soft" in said
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    model = EclareClassifier.load(tmp_path / "model")
    facts = model.pipeline.facts["imputation"]
    assert facts["groups"] == load_dataset(grouped).train.n_groups
    found = model.evaluate(tiny.folder).metrics["P@1"]
    united = EclareClassifier("xr_linear", overrides={**LINEAR, "imputation.method": "union"})
    united.fit(load_dataset(grouped))
    assert found > united.evaluate(tiny.folder).metrics["P@1"]
    eclare("evaluate", tmp_path / "model", "--data", grouped, "--json", tmp_path / "result.json")
    assert "evaluate --split tst" in eclare(
        "evaluate", tmp_path / "model", "--data", grouped, "--split", "trn", "--json", tmp_path / "r.json", code=1
    )
    # From Python it is the same model.
    EclareClassifier("xr_linear", overrides=LINEAR).fit(load_dataset(grouped)).save(tmp_path / "again")
    assert arrays_of(tmp_path / "again") == arrays_of(tmp_path / "model")


def test_the_default_network_trains_on_groups_too(grouped: Path, tiny: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    # Whatever the processor has in hardware: so few documents are learned to another level in float32.
    classifier = EclareClassifier(tiny.recipe, overrides={"training.precision": "bfloat16"}, device="cpu")
    classifier.fit(load_dataset(grouped), listener=lambda event, values: told.append((event, values)))
    assert [values["name"] for event, values in told if event == "stage"][:2] == ["imputation", "prepare"]
    assert classifier.evaluate(tiny.folder).metrics["P@1"] > 15


def test_self_training_trains_the_recipe_on_the_way(grouped: Path, tiny: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    settings = {**LINEAR, "imputation.self_training": 2}
    classifier = EclareClassifier("xr_linear", overrides=settings)
    classifier.fit(load_dataset(grouped), listener=lambda event, values: told.append((event, values)))
    stages = [values["name"] for event, values in told if event == "stage"]
    assert stages.count("linear") == 5 and [event for event, _ in told].count("done") == 1  # two rounds, two halves
    assert classifier.evaluate(tiny.folder).metrics["P@1"] > 15


def test_a_wrong_setting_is_told(grouped: Path, tmp_path: Path) -> None:
    call = ["train", "xr_linear", "--data", grouped, "--out", tmp_path / "x", "--set"]
    assert "did you mean imputation.method?" in eclare(*call, "imputation.methd=hard", code=2)
    assert "imputation.method" in eclare(*call, "imputation.method=best", code=2)


def test_assignment_is_counted_by_the_true_labels(tiny: Any) -> None:
    truth = tiny.folder.train
    data = aggregate(truth, form_groups(truth, size=4, seed=0))

    def found(labels: Any, beliefs: Any) -> dict[str, float]:
        dataset = ImputedDataset(truth.texts, labels, truth.label_texts, groups=data.groups, beliefs=beliefs)
        return assignment(dataset, data, truth.labels)

    right = found(truth.labels, truth.labels)
    assert right["assignment"] == right["label_precision"] == 100 and right["label_recall"] == pytest.approx(100, abs=1)
    united = found(data.labels, data.labels)
    assert united["label_precision"] == pytest.approx(100 * truth.labels.nnz / data.labels.nnz, abs=1)
    assert united["assignment"] < 50 and found(truth.labels, data.labels)["assignment"] == united["assignment"]


def test_an_experiment_over_groups(tiny: Any, tmp_path: Path) -> None:
    from eagle import TRUE, closed, gap, name_of

    change = Change("random groups", size=4)
    words = tuple(f"{key}={value}" for key, value in LINEAR.items())
    variants = (
        Variant(TRUE, words, "xr_linear"),
        Variant(name_of("union", "random", 4), ("imputation.method=union", *words), "xr_linear", change),
        Variant(name_of("imputed, soft", "random", 4), words, "xr_linear", change),
    )
    experiment = Experiment("groups", "?", variants, TRUE, ("P@1",), lambda results, path: None, more=gap)
    call = ["--data", str(tiny.data), "--seeds", "0", "--device", "cpu", "--out", str(tmp_path / "out")]
    main(experiment, words=[*call, "--results", str(tmp_path / "results")])
    results = Results.read(Store(tmp_path / "out"), experiment, {})
    accuracy = results.spread("synthetic", variants[2].name, "assignment")
    share = closed(results, "synthetic", "imputed, soft", "random", 4)
    assert accuracy is not None and accuracy.mean > 50 and share is not None and 0 < share.mean < 150
    assert "| imputed, soft |" in (tmp_path / "results" / "groups.md").read_text()
