"""Kernels that were just compiled and the same from numba's cache give the same bits: one seed, one model."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import python

# Sums, products, a step of Adagrad, a fusion network, a codebook: what the compiler may put in another order, or did.
RUN = """
import hashlib
import numpy as np
from eclare_py.codebook import group
from eclare_py.linear.squared_hinge import squared_hinge
from eclare_py.model.bag_kernels import code_rows, dot_rows, sum_rows, update_rows
from eclare_py.model.pair_scores import pair_products
from eclare_py.quantize import Rows, dot_row
from eclare_py.rank.layers import Layers, judge
from eclare_py.registers import LANES

random, done = np.random.default_rng(0), hashlib.sha256()

def floats(*shape):
    return random.normal(size=shape).astype(np.float32)

def note(array):
    assert np.isfinite(array).all() and array.std() > 0
    done.update(array.tobytes())

rows, terms, dim, entries = 211, 307, 37, 4001
indptr = np.sort(np.append(random.integers(0, entries, rows - 1), [0, entries])).astype(np.int64)
indices, values = random.integers(0, terms, entries), floats(entries)
table, vectors = floats(terms, dim), floats(rows, dim)
codes = Rows(random.integers(-127, 128, (terms, dim)).astype(np.int8), np.abs(floats(terms)))
for kind in (Rows(table, np.ones(terms, np.float32)), codes):
    sums, dots = np.empty((rows, dim), np.float32), np.empty(entries, np.float32)
    sum_rows(indptr, indices, values, kind, sums)
    dot_rows(indptr, indices, kind, vectors, dots)
    note(sums), note(dots)
    note(np.array([dot_row(kind.values, kind.scale, row, vectors[0]) for row in range(terms)]))
accumulator = np.abs(floats(terms))
touched = random.permutation(terms)[:rows].astype(np.int64)
owners = random.integers(0, rows, entries)
codes = code_rows(table)
update_rows(indptr, touched, owners, values, vectors, table, accumulator, np.float32(0.3), np.float32(1e-8), codes)
note(table), note(accumulator), note(codes.values), note(codes.scale)
assert all(np.array_equal(*pair) for pair in zip(codes, code_rows(table)))
products = np.empty((rows, 11), np.float32)
pair_products(vectors, table, random.integers(-1, terms, (rows, 11)), products)
note(products)
layers = Layers(floats(7, 32), floats(32), floats(32, 32), floats(32), floats(32), 0.25)
logits = np.empty(rows, np.float32)
judge(layers, floats(rows, 9), 0, rows, logits)
note(logits)
weights, signs = np.zeros((terms + 1, LANES), np.float32), np.sign(floats(rows, LANES))
squares = np.array([1 + (values[a:b] ** 2).sum() for a, b in zip(indptr, indptr[1:])], np.float32)
entries = (indptr[:-1], indptr[1:], indices.astype(np.int32), values)
squared_hinge(*entries, squares, signs, np.abs(floats(rows, LANES)), 1.0, 0.1, 9, 3, weights)
note(weights)
grouped = group(floats(40000, 64) * np.abs(floats(40000, 1)))
note(grouped.scale), note(grouped.patterns), note(grouped.codes)
print(done.hexdigest())
"""


def test_just_compiled_kernels_give_the_same_bits_as_cached_ones(tmp_path: Path) -> None:
    cache, said, compiled = tmp_path / "cache", [], []
    for _ in range(2):
        done = python("-c", RUN, cwd=tmp_path, NUMBA_CACHE_DIR=str(cache))
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
        compiled.append({path.name: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")})
    assert said[0] == said[1]
    assert compiled[0] == compiled[1] and len(compiled[0]) >= 10  # the second found all of them
