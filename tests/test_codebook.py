import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.codebook import GROUP, Groups, from_arrays, group, sum_groups, to_arrays
from eclare_py.types import as_csr


def test_few_patterns_come_back_exactly():
    """Two groups of four, (1, 1, 1, 1) and (1, -1, 1, -1), have the root mean square 1: the scale is the row's own."""
    flat, edge = np.ones(4), np.tile([1.0, -1.0], 2)
    matrix = np.stack([2 * np.r_[flat, edge], 0.5 * np.r_[edge, edge], np.zeros(8)]).astype(np.float32)
    groups = group(matrix)
    np.testing.assert_allclose(groups.scale, [2, 0.5, 0], rtol=1e-6)
    np.testing.assert_allclose(groups.dense(), matrix, rtol=1e-6)
    assert groups.codes[0, 1] == groups.codes[1, 0] == groups.codes[1, 1] != groups.codes[0, 0]


def naive_codes(matrix, patterns):
    size = np.sqrt((matrix**2).mean(axis=1, keepdims=True))
    padded = np.zeros((len(matrix), -(-matrix.shape[1] // GROUP) * GROUP))
    padded[:, : matrix.shape[1]] = matrix / np.where(size > 0, size, 1)
    parts = padded.reshape(-1, GROUP)
    distance = ((parts[:, None] - patterns[None].astype(np.float64)) ** 2).sum(axis=2)
    return distance, distance.argmin(axis=1).reshape(len(matrix), -1)


@pytest.mark.parametrize("dim", [3, 8, 21])
def test_each_group_gets_the_nearest_pattern_and_each_row_the_best_scale(dim):
    matrix = np.random.default_rng(dim).normal(size=(400, dim)).astype(np.float32)
    matrix[7] = 0
    groups = group(matrix, seed=2)
    distance, expected = naive_codes(matrix, groups.patterns)
    chosen = distance[np.arange(len(distance)), groups.codes.reshape(-1)].reshape(400, -1)
    best = distance.min(axis=1).reshape(400, -1)
    np.testing.assert_allclose(np.delete(chosen, 7, axis=0), np.delete(best, 7, axis=0), atol=1e-4)
    assert (groups.codes == expected).mean() > 0.98
    unit = groups._replace(scale=np.ones(400, dtype=np.float32)).dense()
    best = (unit * matrix).sum(axis=1) / (unit * unit).sum(axis=1)
    scale, best = np.delete(groups.scale, 7), np.maximum(np.delete(best, 7), 0)
    np.testing.assert_allclose(scale, best, rtol=2**-11 + 1e-4)  # 11 bits
    assert np.all(scale == scale.astype(np.float16))
    assert groups.scale[7] == 0 and not groups.dense(np.array([7])).any()
    np.testing.assert_array_equal(group(matrix, seed=2).codes, groups.codes)


def test_more_dimensions_than_patterns_keep_most_of_a_vector():
    matrix = np.random.default_rng(0).normal(size=(3000, 32)).astype(np.float32)
    found = group(matrix).dense()
    cosine = (found * matrix).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(matrix, axis=1)
    assert 0.9 < cosine.mean() < 1


@pytest.mark.parametrize("n_rows", [0, 1, 5])
def test_sums_equal_the_naive_product(n_rows):
    groups = group(np.random.default_rng(1).normal(size=(30, 11)).astype(np.float32))
    rows = as_csr(sp.random_array((n_rows, 30), density=0.3, rng=np.random.default_rng(3)))
    found = sum_groups(rows.indptr, rows.indices, rows.data, groups, n_rows)
    np.testing.assert_allclose(found, rows.toarray() @ groups.dense(), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 5), (300, 16), (0, 3)])
def test_they_come_back_from_the_disk(shape):
    matrix = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    matrix[1:2] = 0
    groups = group(matrix)
    arrays = to_arrays("table", groups)
    assert arrays["table"].shape == (max(shape[0] - 1, 0), -(-shape[1] // GROUP))
    again = from_arrays(arrays, "table", shape[1])
    for one, other in zip(again, groups, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("table", lambda a: a[:, :-1], "no codes of 3 rows"),
        ("table", lambda a: a.astype(np.int8), "no codes of 3 rows"),
        ("table_scale", lambda a: -a, "none below 0"),
        ("table_scale", lambda a: a * np.nan, "none below 0"),
        ("table_patterns", lambda a: a[:-1], "expected 256 of 4"),
        ("table_patterns", lambda a: a * np.inf, "expected 256 of 4"),
        ("table_patterns", None, "table_patterns is missing"),
    ],
)
def test_damaged_arrays_are_refused(part, change, message):
    arrays = to_arrays("table", group(np.eye(3, 9, dtype=np.float32)))
    if change is None:
        del arrays[part]
    else:
        with np.errstate(invalid="ignore"):
            arrays[part] = change(arrays[part])
    with pytest.raises(ValueError, match=message):
        from_arrays(arrays, "table", 9)


def test_what_is_not_finite_is_refused():
    matrix = np.ones((3, 9), dtype=np.float32)
    matrix[1, 2] = np.nan
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        group(matrix)
    assert isinstance(group(matrix[:1]), Groups)
