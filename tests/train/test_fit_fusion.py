import dataclasses

import numpy as np
import pytest

from eclare_py.errors import TrainingError
from eclare_py.rank.config import RankConfig
from eclare_py.rank.fusion import FIRST_LOGIT, probability
from eclare_py.train import fusion, ranking
from eclare_py.train.fit import train
from eclare_py.train.fusion import fit_fusion, fusion_steps

CONFIG = RankConfig(steps=150, fusion_batch=128, hidden=8, fusion_rate=0.03)
NAMES = ("a", "b", "flag")


@pytest.fixture(autouse=True)
def _one_after_the_other(monkeypatch):
    """Fusions are fitted side by side; here their order is looked at."""
    monkeypatch.setattr("eclare_py.threads.get_num_threads", lambda: 1)


def toy(count=400):
    rng = np.random.default_rng(0)
    columns = np.concatenate([rng.normal(size=(count, 2)) * [30, 0.5] + [100, 0], np.zeros((count, 1))], axis=1)
    relevant = (columns[:, 0] + 60 * columns[:, 1] > 100).astype(np.float32)
    return columns.astype(np.float32), relevant


def test_learns_a_separable_toy_and_is_seeded():
    columns, relevant = toy()
    network = fit_fusion(columns, relevant, names=NAMES, config=CONFIG, seed=1)
    chances = probability(network.logits(columns))
    assert np.mean((chances > 0.5) == (relevant > 0)) > 0.97
    again = fit_fusion(columns, relevant, names=NAMES, config=CONFIG, seed=1)
    other = fit_fusion(columns, relevant, names=NAMES, config=CONFIG, seed=2)
    np.testing.assert_array_equal(again.logits(columns), network.logits(columns))
    assert not np.array_equal(other.logits(columns), network.logits(columns))


@pytest.mark.parametrize(
    ("relevant", "most", "steps"),
    [(0, None, 250), (424, None, 250), (1000, None, 588), (5101, None, 3000), (10**6, None, 3000), (1000, 40, 40)],
)
def test_steps_go_with_the_relevant_pairs(relevant: int, most: int | None, steps: int) -> None:
    """Of 1024 pairs a step 102 are relevant; each may come up 60 times."""
    assert fusion_steps(relevant, RankConfig(), most) == steps


def test_few_pairs_take_few_steps() -> None:
    columns, relevant = toy()
    many, few = (
        fit_fusion(columns, relevant, names=NAMES, config=dataclasses.replace(CONFIG, steps=steps, passes=30), seed=1)
        for steps in (4000, round(30 * relevant.sum() / 13))
    )
    np.testing.assert_array_equal(many.logits(columns), few.logits(columns))


def test_a_flag_never_seen_in_fitting_does_not_explode():
    columns, relevant = toy()
    network = fit_fusion(columns, relevant, names=NAMES, config=CONFIG, seed=1)
    flagged = columns + np.array([0, 0, 1], dtype=np.float32)
    assert np.abs(network.logits(flagged) - network.logits(columns)).max() < 50


def test_the_final_fusion_starts_from_the_first():
    columns, relevant = toy()
    still = dataclasses.replace(CONFIG, steps=3, fusion_rate=0.0)
    network = fit_fusion(columns, relevant, names=("a", FIRST_LOGIT, "flag"), config=still, seed=1)
    np.testing.assert_array_equal(network.logits(columns), columns[:, 1])


def test_a_share_of_the_correction_is_kept():
    columns, relevant = toy()
    names = ("a", FIRST_LOGIT, "flag")
    whole, part, none = (
        fit_fusion(columns, relevant, names=names, config=dataclasses.replace(CONFIG, correction=share), seed=1)
        for share in (1.0, 0.25, 0.0)
    )
    correction = whole.logits(columns) - columns[:, 1]
    assert np.abs(correction).max() > 1
    np.testing.assert_allclose(part.logits(columns) - columns[:, 1], 0.25 * correction, atol=1e-4)
    np.testing.assert_array_equal(none.logits(columns), columns[:, 1])


def test_nothing_relevant_is_an_error():
    columns, relevant = toy()
    with pytest.raises(TrainingError, match="hold out more"):
        fit_fusion(columns, 0 * relevant, names=NAMES, config=CONFIG, seed=0)


def test_the_final_fusion_meets_first_logits_of_documents_not_fitted_on(monkeypatch, dataset_of, recipe_of):
    calls, steps = [], []

    def recording(columns, relevant, **options):
        steps.append(options["steps"])
        calls.append((columns, fit_fusion(columns, relevant, **options)))
        return calls[-1][1]

    monkeypatch.setattr(ranking, "fit_fusion", recording)
    pipeline = train(dataset_of(), recipe_of(), device="cpu")
    (_, first), (seen_by_one, one), (seen_by_other, other), (columns, final), *halves = calls
    assert pipeline.ranker.first is first and pipeline.ranker.final is final
    width = len(pipeline.ranker.first_columns)
    own, given = columns[:, :width], columns[:, width]
    # The first half is told by the fusion that was fitted on the second half, and the other way round.
    border = np.flatnonzero(~np.isclose(given, one.logits(own), atol=1e-4))[0]
    assert 0 < border < len(given)
    np.testing.assert_allclose(given[border:], other.logits(own[border:]), atol=1e-4)
    rows = {tuple(row) for row in own[:border].tolist()}
    assert any(tuple(row) in rows for row in seen_by_other.tolist())
    assert len(seen_by_one) < len(calls[0][0]) and len(seen_by_one) + len(seen_by_other) == len(calls[0][0])
    # Each sees its pairs as often.
    for (all_columns, _), first_of in ((calls[0], 0), (calls[3], 3)):
        assert steps[first_of] == recipe_of().rank.steps
        expected = [steps[first_of] * len(calls[place][0]) / len(all_columns) for place in (first_of + 1, first_of + 2)]
        assert steps[first_of + 1 : first_of + 3] == [round(count) for count in expected]
    # Held-out scores: the first half gets them from the last fusion that was fitted on the second, and vice versa.
    np.testing.assert_array_equal(halves[0][0], columns[border:])
    np.testing.assert_array_equal(halves[1][0], columns[:border])


def test_held_out_scores_are_of_fusions_that_have_not_seen_the_documents(monkeypatch, dataset_of, recipe_of):
    fitted, shown, kept = [], [], []

    def recorder(name, into, original):
        def recording(*arguments, **options):
            into.append((original(*arguments, **options), arguments))
            return into[-1][0]

        monkeypatch.setattr(ranking, name, recording)

    for name, into in (("fit_fusion", fitted), ("_final_pairs", shown), ("held_out_best", kept)):
        recorder(name, into, getattr(ranking, name))
    pipeline = train(dataset_of(), recipe_of(), device="cpu")
    for (network, (columns, _)), (told, _) in zip(fitted[-2:], reversed(shown[:2]), strict=True):
        assert len(network.columns) == columns.shape[1]
        np.testing.assert_array_equal(columns, np.concatenate(told.columns))  # of the other half
    expected = [
        network.logits(c) for (network, _), (own, _) in zip(fitted[-2:], shown[2:], strict=True) for c in own.columns
    ]
    held_out, (found, logits, relevant, rarity, frequencies, n_documents) = kept[0]
    assert pipeline.held_out is held_out and len(expected) == len(logits) == 2
    for one, other in zip(expected, logits, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(held_out.indptr) - 1 == pipeline.facts["held_out"]
    assert n_documents == len(dataset_of()) - pipeline.facts["held_out"]
    for boost in (0.0, 0.4, 3.0):
        scored = held_out.scored(pipeline.ranker.calibration, boost)
        slope, offset = pipeline.ranker.calibration.at(boost)
        row = 0
        for these, own, truth in zip(found, logits, relevant, strict=True):
            lifted = slope * (own + np.float32(boost) * rarity[these.labels]) + offset
            chances = probability(lifted.astype(np.float32))
            for first, last in zip(these.indptr[:-1], these.indptr[1:], strict=True):
                order = sorted(range(first, last), key=lambda pair: (-chances[pair], these.labels[pair]))[:10]
                count = len(order)
                np.testing.assert_allclose(scored.scores[row, :count], chances[order], rtol=1e-5)
                # Chances that are equal but for rounding may stand in either order.
                there = [(chances[p], truth[p] > 0, frequencies[these.labels[p]]) for p in range(first, last)]
                for score, hit, count_of in zip(
                    scored.scores[row, :count], scored.hit[row, :count], scored.frequencies[row, :count], strict=True
                ):
                    assert any(abs(score - c) < 1e-5 and (hit, count_of) == (h, f) for c, h, f in there)
                assert np.isneginf(scored.scores[row, count:]).all()
                row += 1
        assert row == len(scored.scores)


def test_figures_of_held_out_documents_are_those_of_the_scores_that_are_kept(dataset_of, recipe_of):
    pipeline = train(dataset_of(), recipe_of(), device="cpu")
    hits = pipeline.held_out.scored(pipeline.ranker.calibration, pipeline.recipe["rank"]["tail_boost"]).hit
    metrics = pipeline.facts["held_out_metrics"]
    assert 0 < hits[:, 0].mean() < 1
    assert metrics["P@1"] == pytest.approx(100 * hits[:, 0].mean(), abs=1e-3)
    assert metrics["P@5"] == pytest.approx(100 * hits[:, :5].mean(), abs=1e-3)


def test_without_the_graph_held_out_scores_are_of_first_fusions(monkeypatch, dataset_of, recipe_of):
    fitted, original = [], fit_fusion

    def recording(columns, relevant, **options):
        fitted.append(original(columns, relevant, **options))
        return fitted[-1]

    monkeypatch.setattr(ranking, "fit_fusion", recording)
    recipe = recipe_of()
    rank = dataclasses.replace(recipe.rank, graph_candidates=0, graph_features=False)
    pipeline = train(dataset_of(), dataclasses.replace(recipe, rank=rank), device="cpu")
    first, *halves = fitted
    assert pipeline.ranker.first is first and pipeline.ranker.final is None and len(halves) == 2
    scored = pipeline.held_out.scored(pipeline.ranker.calibration, 0.5)
    assert scored.there[:, 0].all() and (np.diff(scored.scores[scored.there.all(axis=1)], axis=1) <= 0).all()


def test_a_loss_that_is_not_finite_stops_with_a_reason():
    columns, relevant = toy()
    columns[7, 1] = np.nan
    with pytest.raises(TrainingError, match=r"loss of the fusion became nan in step 1: lower rank\.fusion_rate"):
        fit_fusion(columns, relevant, names=NAMES, config=CONFIG, seed=1)


@pytest.mark.parametrize("shape", [(5, 2), (1000, 3), (5003, 24)])
def test_mean_and_deviation_in_blocks_are_those_of_numpy_to_the_bit(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fusion, "_BLOCK", 1000)
    columns = np.random.default_rng(0).normal(3, 5, size=shape).astype(np.float32)
    mean, deviation = fusion.mean_and_deviation(columns)
    assert mean.dtype == deviation.dtype == np.float32
    assert np.array_equal(mean, columns.mean(axis=0)) and np.array_equal(deviation, columns.std(axis=0))
