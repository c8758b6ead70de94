"""What linear models give to a resolution."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.linear import LinearConfig, fit_level
from eclare_py.linear.search import log_score
from eclare_py.train.bootstrap import linear_head, matcher_beam
from eclare_py.train.recipe import Recipe
from eclare_py.train.resolution_config import ResolutionConfig
from eclare_py.train.resolutions import Resolution
from eclare_py.types import as_csr

N = 90
RANDOM = np.random.default_rng(5)
LEVEL = Resolution(np.arange(6), np.array([0, 0, 0, 1, 1, 1]))
TARGETS = np.eye(6)[RANDOM.integers(0, 6, N)] * 2
VECTORS = (TARGETS @ RANDOM.standard_normal((6, 5)) + 0.3 * RANDOM.standard_normal((N, 5))).astype(np.float32)
SEEN = as_csr(np.stack([TARGETS[:, :3].any(axis=1), TARGETS[:, 3:].any(axis=1)], axis=1))


def test_the_head_starts_with_the_scores_of_the_linear_model() -> None:
    recipe = Recipe(resolutions=ResolutionConfig(bootstrap_cost=7.0, bootstrap_rounds=50))
    head = linear_head(VECTORS, SEEN, as_csr(TARGETS), LEVEL.child_ptr, recipe, "cpu")
    config = LinearConfig(cost=7.0, rounds=50, threshold=0.0)
    chunks = fit_level(as_csr(VECTORS), SEEN, as_csr(TARGETS), LEVEL.child_ptr, config)
    expected = VECTORS @ chunks.matrix().toarray().T + chunks.bias
    found = head.scores(torch.from_numpy(VECTORS)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.mean(found.argmax(axis=1) == TARGETS.argmax(axis=1)) > 0.6


def test_the_beam_multiplies_the_path() -> None:
    recipe = Recipe(resolutions=ResolutionConfig(man_beam=3))
    documents, trained = as_csr(VECTORS), np.arange(0, N, 2)
    top = Resolution(np.arange(2), np.zeros(2, np.int64))
    one = as_csr(np.ones((N, 1)))
    above = matcher_beam(documents, top, SEEN, one, None, trained, recipe)
    assert above.nodes.shape == (N, 2)
    below = matcher_beam(documents, LEVEL, as_csr(TARGETS), SEEN, above, trained, recipe)
    config = LinearConfig(threshold=1e-3)
    chunks = fit_level(documents[trained], SEEN[trained], as_csr(TARGETS)[trained], LEVEL.child_ptr, config)
    margins = VECTORS @ chunks.matrix().toarray().T + chunks.bias
    for row in (0, 1, N - 1):
        parents = dict(zip(above.nodes[row].tolist(), above.scores[row].tolist(), strict=True))
        paths = [parents[int(LEVEL.parents[c])] + log_score(float(margins[row, c]), 3) for c in range(6)]
        np.testing.assert_allclose(below.scores[row], np.sort(paths)[::-1][:3], rtol=1e-3, atol=1e-4)
