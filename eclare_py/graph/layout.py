"""Label vectors as points of a plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eclare_py.errors import UsageError
from eclare_py.types import FloatArray, IntArray

MAP_LABELS = 4000  # t-SNE of so many takes about 20 seconds
_PRINCIPAL = 50
_PERPLEXITY = 30
_FEW = 10  # too few points for neighbourhoods: their principal components say it all


def sample_labels(frequencies: IntArray, limit: int = MAP_LABELS, *, seed: int = 0) -> IntArray:
    """Labels for a map: all, or the most frequent, which people know, and as many others drawn by chance.

    Args:
        frequencies: (L,) train documents of each label.
        limit: Labels wanted at most.
        seed: The same seed gives the same labels.

    Returns:
        Sorted ids.
    """
    if limit < 1:
        raise UsageError(f"limit={limit} must be at least 1")
    if len(frequencies) <= limit:
        return np.arange(len(frequencies))
    order = np.argsort(-frequencies, kind="stable").astype(np.int64)
    known = limit - limit // 2
    others = np.random.default_rng(seed).choice(order[known:], limit // 2, replace=False)
    return np.sort(np.concatenate([order[:known], others]))


def plane_layout(vectors: FloatArray, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Place vectors in the plane so that those of small angles lie together.

    t-SNE (van der Maaten and Hinton, JMLR 2008) on the 50 first principal components of the unit vectors, begun at
    the first two (Kobak and Berens, Nature Communications 2019), which makes the large-scale order mean something.
    Distances between far groups still do not. It runs on one thread: sums of several would differ from run to run.

    Args:
        vectors: (n, d); zero vectors lie in the middle.
        seed: Of the decomposition; the same seed gives the same places.

    Returns:
        (n, 2) float64.

    Raises:
        UsageError: Not a matrix.
    """
    matrix = np.asarray(vectors, dtype=np.float64)
    if matrix.ndim != 2:
        raise UsageError(f"vectors has shape {matrix.shape}, expected (n, d)")
    if not matrix.size:
        return np.zeros((len(matrix), 2))
    count = len(matrix)
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    size = min(_PRINCIPAL, *matrix.shape)
    if size < 2 or count <= _FEW:
        return _principal(matrix, min(2, size))
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    reduced = _principal(matrix, size)
    spread = reduced[:, 0].std()
    if spread == 0:  # all the same
        return reduced[:, :2]
    model = TSNE(
        perplexity=min(_PERPLEXITY, (count - 1) / 3),
        init=(reduced[:, :2] / spread * 1e-4).astype(np.float32),
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(1):
        return np.asarray(model.fit_transform(reduced), dtype=np.float64)


def _principal(matrix: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """(n, max(size, 2)) principal components; missing ones are zero."""
    found = np.zeros((len(matrix), max(size, 2)))
    left, strength, right = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    # A component may point either way: its greatest weight is made positive.
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    found[:, :size] = (left * strength * signs)[:, :size]
    return found
