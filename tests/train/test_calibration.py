import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.candidates import Candidates
from eclare_py.storage import State
from eclare_py.train.calibration import BOOSTS, fit_calibration, fit_line


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def test_a_line_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=3, size=200_000).astype(np.float32)
    relevant = (rng.random(len(logits)) < sigmoid(0.7 * logits - 1.1)).astype(np.float32)
    assert fit_line(logits, relevant) == pytest.approx((0.7, -1.1), abs=0.02)


def test_nothing_relevant_does_not_run_away():
    slope, offset = fit_line(np.linspace(-3, 3, 50).astype(np.float32), np.zeros(50, np.float32))
    assert np.isfinite([slope, offset]).all()


def test_lifted_scores_are_probabilities_again():
    """Half of the labels are rare and lifted far beyond their share; a line per lift mends the mean of each bin."""
    rng, documents, width = np.random.default_rng(1), 4000, 30
    labels = np.sort(rng.permuted(np.tile(np.arange(60), (documents, 1)), axis=1)[:, :width], axis=1)
    logits = rng.normal(-2, 2, size=labels.size).astype(np.float32)
    relevant = (rng.random(labels.size) < sigmoid(logits)).astype(np.float32)
    rarity = np.where(np.arange(60) < 30, 0, 3).astype(np.float32)
    indptr = np.arange(documents + 1, dtype=np.int64) * width
    zeros = np.zeros(labels.size, np.float32)
    found = Candidates(indptr, labels.ravel(), zeros, zeros.astype(np.int64), zeros)
    calibration = fit_calibration([found], [logits], [relevant], rarity)
    assert calibration.boosts.tolist() == pytest.approx(BOOSTS)
    assert calibration.at(0) == pytest.approx((1, 0), abs=0.05)
    for boost in (0.4, 0.55):
        lifted = logits + np.float32(boost) * rarity[found.labels]
        chosen = found.best(lifted, 10)
        slope, offset = calibration.at(boost)
        raw, mended = sigmoid(lifted[chosen]), sigmoid(slope * lifted[chosen] + offset)
        assert abs(mended.mean() - relevant[chosen].mean()) < 0.01 < abs(raw.mean() - relevant[chosen].mean())


def test_saved_and_loaded_and_refused():
    made = Calibration(*(np.array(part, np.float32) for part in ([0, 1, 2], [1, 0.5, 0.25], [0, 1, 3])))
    again = Calibration.from_state(made.state())
    assert again.at(1.5) == pytest.approx((0.375, 2)) and again.at(9) == pytest.approx((0.25, 3))
    assert Calibration.none().at(0.4) == (1, 0)
    for damage in (
        {"slopes": np.array([1, 0, 1], np.float32)},
        {"boosts": np.array([0, 2, 1], np.float32)},
        {"offsets": np.zeros(2, np.float32)},
        {"offsets": np.zeros(3)},
    ):
        with pytest.raises(ModelError, match="calibration"):
            Calibration.from_state(State(made.state().arrays | damage))
