import numpy as np
import pytest
import torch

from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.model.losses import decoupled_softmax, softmax_cross_entropy
from eclare_py.model.margin import dynamic_margin
from eclare_py.train.batches import Batch
from eclare_py.train.fit import train
from eclare_py.train.objective import Objective, objective_of


def batch_of():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, (5, 6))
    return Batch(np.arange(5), np.array([1, 2, 4, 6, 7, 9]), kind == 0, kind == 1)


@pytest.mark.parametrize("kind", ["decoupled", "softmax", "margin"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_chosen_loss_with_the_weights_of_the_labels_at_hand(kind, weighted):
    batch, scores, log_scale = batch_of(), torch.linspace(-20, 20, 30).reshape(5, 6), torch.tensor(3.0)
    importance = np.linspace(0.5, 5, 11).astype(np.float32) if weighted else None
    weights = torch.from_numpy(importance[batch.labels]) if weighted else None
    masks = torch.from_numpy(batch.positives), torch.from_numpy(batch.ignored)
    expected = {
        "decoupled": decoupled_softmax(scores, *masks, weights),
        "softmax": softmax_cross_entropy(scores, *masks, weights),
        "margin": dynamic_margin(scores / torch.tensor(3.0).exp(), *masks, weights),
    }[kind]
    torch.testing.assert_close(Objective(kind, importance).loss(scores, batch, log_scale), expected)
    assert float(expected) > 0


def test_rare_labels_weigh_more_by_inverse_propensity(recipe_of):
    frequencies = np.array([0, 1, 5, 40])
    assert objective_of(recipe_of().training, frequencies, 60) == Objective()
    objective = objective_of(recipe_of(positive_weight="propensity", loss="margin").training, frequencies, 60)
    assert objective.kind == "margin" and np.all(np.diff(objective.importance) < 0)
    np.testing.assert_allclose(objective.importance, inverse_propensities(frequencies, 60), rtol=1e-6)


@pytest.mark.parametrize("changed", [{"loss": "softmax"}, {"loss": "margin"}, {"positive_weight": "propensity"}])
def test_a_training_with_another_loss_gives_another_model_that_answers(dataset, recipe_of, changed):
    default = train(dataset, recipe_of(surrogate_epochs=1, ranker_epochs=0), device="cpu")
    other = train(dataset, recipe_of(surrogate_epochs=1, ranker_epochs=0, **changed), device="cpu")
    assert not np.array_equal(default.ranker.scorer.vectors, other.ranker.scorer.vectors)
    assert np.isfinite(other.ranker.scorer.vectors).all()
    start = np.float32(np.log(1 / 0.05))
    assert (other.network["log_scale"] == start) == (changed.get("loss") == "margin")
    assert np.all(other.rank(dataset.texts[:3], 4).indices >= 0)
