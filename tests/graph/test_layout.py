import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.graph.layout import plane_layout, sample_labels


def test_sample_holds_the_most_frequent_and_some_others():
    frequencies = np.random.default_rng(0).permutation(200)
    found = sample_labels(frequencies, 31, seed=1)
    assert len(set(found.tolist())) == 31 and (np.diff(found) > 0).all()
    assert set(np.argsort(-frequencies)[:16].tolist()) <= set(found.tolist())
    assert np.array_equal(found, sample_labels(frequencies, 31, seed=1))
    assert not np.array_equal(found, sample_labels(frequencies, 31, seed=2))
    assert sample_labels(frequencies, 200).tolist() == list(range(200))
    assert sample_labels(frequencies, 1).tolist() == [int(frequencies.argmax())]
    with pytest.raises(UsageError, match="limit=0"):
        sample_labels(frequencies, 0)


def test_groups_stay_together_whatever_the_lengths():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(3, 20))
    group = np.repeat([0, 1, 2], [25, 17, 30])
    vectors = centres[group] + 0.05 * rng.normal(size=(72, 20))
    vectors *= rng.uniform(0.5, 2, size=(72, 1))
    places = plane_layout(vectors, seed=4)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (group[apart.argmin(axis=1)] == group).all()
    assert np.array_equal(places, plane_layout(vectors, seed=4))


def test_few_vectors_are_placed_by_their_principal_components():
    vectors = np.array([[1, 0, 0], [-1, 0, 0], [0, 0.2, 0], [0, -0.2, 0]])
    vectors[2:, 2] = 1e-9
    places = plane_layout(vectors)
    assert places.shape == (4, 2)
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("vectors", "rows"), [(np.zeros((0, 4)), 0), (np.zeros((30, 4)), 30), (np.ones((1, 4)), 1), (np.ones((12, 1)), 12)]
)
def test_vectors_that_say_nothing_lie_in_one_place(vectors, rows):
    places = plane_layout(vectors)
    assert places.shape == (rows, 2)
    assert np.allclose(places, 0)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(UsageError, match=r"\(n, d\)"):
        plane_layout(np.ones(3))
