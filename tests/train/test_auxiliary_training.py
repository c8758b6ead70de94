"""What a training minimises beside its loss: part of its checkpoints, no part of its model."""

import numpy as np
import pytest
import torch

from eclare_py.model.auxiliary import AuxiliaryTasks
from eclare_py.model.auxiliary_config import AuxiliaryConfig, ThresholdMarginConfig
from eclare_py.model.threshold_margin import threshold_margin
from eclare_py.persist.fusion import fusion_states
from eclare_py.train import checkpoint
from eclare_py.train.assembly import assemble
from eclare_py.train.batches import Batch
from eclare_py.train.events import EventLog
from eclare_py.train.fit import train_network
from eclare_py.train.objective import Objective, auxiliary_loss, certain_masks, objective_of

TASKS = {"pair_weight": 0.5, "context_weight": 0.5, "negatives": 3}


def batch_of(*, soft):
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, (5, 6))
    graded = np.argwhere(kind == 2)[:4].T
    parts = (graded[0], graded[1], np.full(4, 0.25, dtype=np.float32)) if soft else None
    return Batch(np.arange(5), np.array([1, 2, 4, 6, 7, 9]), kind == 0, kind == 1, parts)


def train_here(dataset, recipe, folder=None):
    with EventLog(None, None) as log:
        return train_network(dataset, recipe, log=log, folder=folder, device="cpu")


@pytest.mark.parametrize("soft", [False, True])
def test_the_margin_is_added_to_the_loss_and_sees_cosines_of_certain_pairs(soft):
    batch, margin = batch_of(soft=soft), ThresholdMarginConfig(0.7, 0.4, -0.1)
    cosines, scale = torch.linspace(-1, 1, 30).reshape(5, 6), torch.tensor(3.0)
    scores = cosines * scale.exp()
    found = Objective(margin=margin).loss(scores, batch, scale) - Objective().loss(scores, batch, scale)
    ignored = batch.ignored.copy()
    if soft:
        ignored[batch.soft[:2]] = True
    expected = threshold_margin(cosines, torch.from_numpy(batch.positives), torch.from_numpy(ignored), margin)
    torch.testing.assert_close(found, 0.7 * expected)
    assert expected > 0 and not batch.ignored[2, 2:].all()


def test_pairs_that_are_relevant_in_part_are_no_hard_negatives_and_the_batch_stays_as_it_is():
    batch, plain = batch_of(soft=True), batch_of(soft=False)
    positives, ignored = certain_masks(batch, torch.device("cpu"))
    assert np.array_equal(positives.numpy(), batch.positives) and np.array_equal(batch.ignored, plain.ignored)
    assert ignored[batch.soft[0], batch.soft[1]].all() and ignored.sum() == plain.ignored.sum() + 4


def test_no_tasks_add_nothing_and_tasks_what_they_come_to():
    batch, generator = batch_of(soft=True), torch.Generator().manual_seed(0)
    documents, vectors = (torch.randn(n, 4, generator=generator) for n in (5, 6))
    scores = documents @ vectors.T
    assert auxiliary_loss(None, documents, vectors, scores, batch) == 0
    tasks = AuxiliaryTasks(4, AuxiliaryConfig(**TASKS))
    torch.manual_seed(1)
    found = auxiliary_loss(tasks, documents, vectors, scores, batch)
    torch.manual_seed(1)
    expected = tasks(documents, vectors, scores, *certain_masks(batch, torch.device("cpu")))
    torch.testing.assert_close(found, expected)
    assert found > 0


def test_off_by_default(recipe_of):
    settings = recipe_of().training
    assert not settings.auxiliary.used
    assert objective_of(settings, np.array([3, 1]), 9) == Objective()
    assert objective_of(recipe_of(threshold_margin={"weight": 2.0}).training, np.array([3, 1]), 9).margin.weight == 2


def test_tasks_are_in_the_checkpoint_and_not_in_the_model(dataset, recipe_of, tmp_path):
    recipe = recipe_of(surrogate_epochs=1, ranker_epochs=1, auxiliary=TASKS, threshold_margin={"weight": 1.0})
    session = train_here(dataset, recipe, tmp_path)
    point = checkpoint.load(tmp_path / "checkpoint")
    names = {name for name in point.network if name.startswith("auxiliary.")}
    assert {name.split(".")[1] for name in names} == {"pair", "context"}
    start = AuxiliaryTasks(recipe.document.dim, recipe.training.auxiliary, seed=recipe.seed).state_dict()
    assert all(not torch.equal(point.network[name], start[name.removeprefix("auxiliary.")]) for name in names)
    learned = [p for p in session.network.dense_parameters() if p.requires_grad]
    own = {id(p) for p in session.network.auxiliary.parameters()}
    assert own <= {id(p) for p in learned}
    pipeline = assemble(session)
    states = fusion_states(pipeline)
    assert not [name for state in states.values() for name in state.arrays if "auxiliary" in name]
    assert np.all(pipeline.rank(dataset.texts[:3], 4).indices >= 0)


@pytest.mark.parametrize("changed", [{"auxiliary": TASKS}, {"threshold_margin": {"weight": 1.0}}])
def test_the_start_is_that_of_a_training_without_and_the_end_another(dataset, recipe_of, changed, monkeypatch):
    plain, other = (recipe_of(surrogate_epochs=1, ranker_epochs=0, **more) for more in ({}, changed))
    ends = [train_here(dataset, recipe).network.encode_labels() for recipe in (plain, other)]
    assert not np.array_equal(*ends)
    monkeypatch.setattr("eclare_py.train.fit.run_stage", lambda *_: None)
    starts = [train_here(dataset, recipe).network.state_dict() for recipe in (plain, other)]
    assert all(torch.equal(value, starts[1][name]) for name, value in starts[0].items())
