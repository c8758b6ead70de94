"""Two and four processes train what one trains."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.distributed import member
from tests.small_transformer import save_small_transformer

PARAMETERS = ("bag/weight", "bag/accumulator", "label_encoder/free/weight", "label_encoder/bias", "log_scale")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The network of one process, and the losses of its epochs."""
    out = tmp_path_factory.mktemp("alone") / "network.npz"
    told = member.train(str(out))
    return dict(np.load(out)), told


def test_every_exchange_gives_the_same_everywhere(cluster):
    answers = cluster.run(3, "exchanges")
    assert all(answer | {"leader": 0} == answers[0] | {"leader": 0} for answer in answers)
    told = answers[0]
    assert told["sum"] == [3.0, 3.0]
    assert told["rows"] == np.arange(14.0).reshape(7, 2).tolist()
    assert told["all"] == [[[], [0], [0, 1]], [[[0.0, 0.0]], [[1.0, 1.0]] * 2, [[2.0, 2.0]] * 3]]
    assert told["leader"] == told["all"] and answers[1]["leader"] == [[], []]
    assert told["shared"] == [[1, 2], [3, 4]] and told["empty"] == [0, 3] and told["any"] == [True, False]


@pytest.mark.parametrize("world", [2, 4])
def test_several_processes_train_the_network_of_one(world, cluster, alone, tmp_path):
    told = cluster.run(world, "train", out=str(tmp_path / "network.npz"))
    expected, losses = alone[0], alone[1]["losses"]
    found = dict(np.load(tmp_path / "network.npz"))
    assert found.keys() == expected.keys()
    for name in ("labels", "documents", *PARAMETERS):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    assert np.abs(expected["label_encoder/free/weight"]).max() > 1e-3  # they did learn something
    np.testing.assert_allclose(told[0]["losses"], losses, atol=2e-5)
    assert all(one["losses"] == told[0]["losses"] for one in told)


def test_learned_attention_and_softmax_agree_too(cluster, tmp_path):
    changes = {
        "label": {"attention": "learned"},
        "training": {"loss": "softmax", "positive_weight": "propensity", "label_documents": True},
    }
    cluster.run(2, "train", out=str(tmp_path / "two.npz"), changes=changes)
    member.train(str(tmp_path / "one.npz"), changes)
    found, expected = np.load(tmp_path / "two.npz"), np.load(tmp_path / "one.npz")
    np.testing.assert_allclose(found["documents"], expected["documents"], atol=1e-4)
    np.testing.assert_allclose(found["labels"], expected["labels"], atol=1e-4)


def test_soft_targets_agree_without_the_ranker_stage(cluster, tmp_path):
    changes = {
        "label": {"free": False, "bias": False},
        "training": {"soft_targets": 0.3, "ranker_epochs": 0, "surrogate_epochs": 1},
    }
    cluster.run(2, "train", out=str(tmp_path / "two.npz"), changes=changes)
    member.train(str(tmp_path / "one.npz"), changes)
    found, expected = np.load(tmp_path / "two.npz"), np.load(tmp_path / "one.npz")
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)


def test_label_tables_are_shared_out(cluster, alone):
    told = cluster.run(2, "train", changes={"training": {"surrogate_epochs": 1, "ranker_epochs": 0}})
    assert sum(one["bytes"] for one in told) == alone[1]["bytes"]
    assert max(one["bytes"] for one in told) <= 1.1 * alone[1]["bytes"] / 2


def test_what_needs_one_process_is_refused_by_name(cluster):
    answers = cluster.run(2, "refuse", changes=[{"label": {"prototype": True}}] * 2)
    assert all("UsageError: label.prototype is trained by one process" in one["error"] for one in answers)


def test_processes_with_different_recipes_are_told_apart(cluster):
    answers = cluster.run(3, "refuse", changes=[{}, {}, {"document": {"dim": 8}}])
    assert all("process 2 has other train documents or another recipe" in one["error"] for one in answers)


def test_a_transformer_that_learns_agrees_too(cluster, tmp_path):
    model = save_small_transformer(tmp_path / "model")
    settings = json.loads((model / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # each process draws its own
    (model / "config.json").write_text(json.dumps(settings))
    changes = {
        "document": {"kind": "both"},
        "transformer": {"model": str(model), "tuning": "full", "max_length": 8, "rate": 1e-3},
        "training": {"surrogate_epochs": 1, "ranker_epochs": 1},
    }
    cluster.run(2, "train", out=str(tmp_path / "two.npz"), changes=changes)
    member.train(str(tmp_path / "one.npz"), changes)
    found, expected = np.load(tmp_path / "two.npz"), np.load(tmp_path / "one.npz")
    names = [name for name in expected if name.startswith("documents/transformer")]
    assert len(names) > 20
    for name in ("labels", "documents", "label_cache"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4, err_msg=name)
