"""How good is a linear tree, and what does chunking its weights save?

    python experiments/linear.py --data build/debian
    python experiments/linear.py --steps
    python experiments/linear.py --synthetic 131000 1000000

The first trains XR-Linear on TF-IDF of words and pairs of words and scores the test split at beams 10 and 50, then
times one query and many with each of the four walks against a product child by child. The second times one step of each
walk on made-up chunks; the rule in `eclare_py/linear/walks.py` is built from these. The third times the walks on
made-up trees of any size.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py import evaluate, load_dataset
from eclare_py.features.tfidf import FeatureConfig, TfidfFeatures
from eclare_py.linear import LinearConfig, LinearRanker, fit_linear, pifa_tree
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.walks import WALKS, multiply_chunks
from eclare_py.rank.kernels import match_terms
from eclare_py.types import Csr, as_csr

SHOWN = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path)
    what.add_argument("--steps", action="store_true")
    what.add_argument("--synthetic", type=int, nargs="+", metavar="L", help="walks alone, on made-up trees of L labels")
    parser.add_argument("--loss", choices=("squared-hinge", "logistic"), default="squared-hinge")
    parser.add_argument("--negatives", choices=("tfn", "man", "tfn+man"), default="tfn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()
    if arguments.steps:
        steps()
        return
    if arguments.synthetic:
        for n_labels in arguments.synthetic:
            print(f"{n_labels:,} labels")
            walk_times(*made_up(n_labels))
        return
    found = quality(arguments.data, LinearConfig(loss=arguments.loss, negatives=arguments.negatives), arguments.seed)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


def quality(path: Path, config: LinearConfig, seed: int) -> dict[str, Any]:
    """Train, score, time."""
    folder = load_dataset(path)
    train, test = folder.train, folder.test
    if test is None:
        raise SystemExit(f"{path} has no test split")
    before, started = time.process_time(), time.perf_counter()
    features = TfidfFeatures.fit(train.texts, config=FeatureConfig(characters=False, min_df=1))
    documents = features.transform(train.texts)
    tree = pifa_tree(documents, train.labels, config, seed=seed)
    ranker = fit_linear(documents, train.labels, tree, config, filter_pairs=train.filter_pairs, seed=seed)
    cost = {"cpu_s": time.process_time() - before, "wall_s": time.perf_counter() - started}
    weights = [int(level.values.size) for level in ranker.levels]
    print(f"trained: {cost['cpu_s']:.1f} CPU s, {cost['wall_s']:.1f} s; weights per level {weights}")
    queries = features.transform(test.texts)
    ranker.rank(queries[:2], 10)  # compile
    found: dict[str, Any] = {"data": path.name, "cost": cost, "weights": weights, "beams": {}}
    for beam in (10, 50):
        before = time.process_time()
        ranking = ranker.rank(queries, 100, beam=beam)
        seconds = time.process_time() - before
        metrics = evaluate(
            ranking, test.labels, train.label_frequencies, train.n_documents, filter_pairs=test.filter_pairs,
            propensity_a=folder.propensity_a, propensity_b=folder.propensity_b,
        ).metrics  # fmt: skip
        shown = {key: None if metrics[key] is None else round(metrics[key], 2) for key in SHOWN}
        found["beams"][beam] = {"metrics": shown, "documents_per_cpu_s": round(len(test.texts) / seconds)}
        print(f"beam {beam}: {shown}, {len(test.texts) / seconds:,.0f} documents per CPU s")
    found["walks"] = walk_times(ranker, queries)
    return found


def walk_times(ranker: LinearRanker, queries: Csr) -> dict[str, dict[str, float]]:
    """Milliseconds a document: beam search with every walk, and child by child with the same beam."""
    found: dict[str, dict[str, float]] = {}
    print("| ms a document | " + " | ".join((*WALKS, "choose", "child by child")) + " |")
    print("|---" * (len(WALKS) + 3) + "|")
    plain = [level.matrix() for level in ranker.levels]
    for name, block in (("one at a time", 1), ("batch of 2,000", 2000)):
        for beam in (1, 10, 50):
            n = 200 if block == 1 else 2000
            rows = [queries[i : i + block] for i in range(0, min(n, queries.shape[0]), block)]
            times = {walk: _time(partial(_search_all, ranker, rows, beam, walk)) / n for walk in (*WALKS, "choose")}
            kept = [[_blocks(ranker, r, beam, depth) for depth in range(len(plain))] for r in rows]
            times["child by child"] = _time(partial(_by_child, plain, rows, kept)) / n
            found[f"{name}, beam {beam}"] = {walk: round(1e3 * seconds, 4) for walk, seconds in times.items()}
            print(f"| {name}, beam {beam} | " + " | ".join(f"{1e3 * t:.4f}" for t in times.values()) + " |")
    return found


def made_up(n_labels: int) -> tuple[LinearRanker, Csr]:
    """A tree of random weights and 2,000 documents, in numbers like those of debian-related.

    There a child has some 60 weights and a chunk 20 features a child; features and the 20 terms of a document follow
    Zipf's law, so that documents and chunks share the frequent ones.
    """
    random, n_features = np.random.default_rng(0), 200_000
    chance = 1 / (10 + np.arange(n_features))
    ends = np.cumsum(chance / chance.sum())

    def draw(count: int) -> np.ndarray:
        return np.minimum(np.searchsorted(ends, random.random(count)), n_features - 1)

    sizes = [max(n_labels // 70, 2)]
    while sizes[0] > 32:
        sizes.insert(0, sizes[0] // 16)
    levels, parents = [], 1
    for children in (*sizes, n_labels):
        child_ptr = np.arange(parents + 1, dtype=np.int64) * children // parents
        columns = []
        for first, last in zip(child_ptr[:-1], child_ptr[1:], strict=True):
            known = np.unique(draw(30 * int(last - first)))
            columns += [np.unique(known[random.integers(len(known), size=60)]) for _ in range(last - first)]
        pointers = np.cumsum([0] + [len(column) for column in columns]).astype(np.int64)
        weights = random.normal(scale=0.3, size=pointers[-1]).astype(np.float32)
        features = np.concatenate(columns).astype(np.int32)
        bias = np.zeros(children, np.float32)
        levels.append(Chunks.of_columns(pointers, features, weights, bias, child_ptr, n_features))
        parents = children
    rows = [np.unique(draw(20)) for _ in range(2000)]
    pointers = np.cumsum([0] + [len(row) for row in rows])
    values = np.full(pointers[-1], 0.25, np.float32)
    queries = Csr((values, np.concatenate(rows), pointers), shape=(2000, n_features))
    return LinearRanker(levels, np.arange(n_labels), LinearConfig(), n_features), queries


def steps() -> None:
    """Nanoseconds of one step of each walk on made-up chunks of many shapes, by least squares."""
    random = np.random.default_rng(0)
    rows: dict[str, list[tuple[float, float]]] = {walk: [] for walk in WALKS}
    for terms in (5, 20, 100):
        for features in (20, 300, 3000):
            weights = sp.random_array((64, 50_000), density=features / 50_000 / 8, rng=random, dtype=np.float32)
            column = as_csr(weights)
            pointers = column.indptr.astype(np.int64)
            one = np.array([0, 64], dtype=np.int64)
            bias = np.zeros(64, np.float32)
            chunks = Chunks.of_columns(pointers, column.indices, column.data, bias, one, 50_000)
            size = len(chunks.features)
            queries = as_csr(sp.random_array((512, 50_000), density=terms / 50_000, rng=random, dtype=np.float32))
            pairs = np.arange(512), np.zeros(512, dtype=np.int64)
            work = {
                "marching": terms + size,
                "binary": min(terms, size) * np.log2(2 + max(terms, size) / min(terms, size)),
                "hash": terms,
                "dense": terms,
            }
            for walk in WALKS:
                seconds = _time(partial(multiply_chunks, queries, chunks, *pairs, walk=walk))
                rows[walk].append((float(work[walk]), 1e9 * seconds / 512))
    for walk, points in rows.items():
        x, y = np.array(points).T
        slope, start = np.polyfit(x, y, 1)
        print(f"{walk}: {slope:.2f} ns a step, {start:.0f} ns a block")


def _time(call: Callable[[], Any]) -> float:
    """Median seconds of five calls, after one that does not count."""
    call()
    found = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return float(np.median(found))


def _blocks(ranker: LinearRanker, queries: Csr, beam: int, depth: int) -> Csr:
    """(B, n) ones at the children that a beam search looks at on a level."""
    ends = tuple(np.empty(0, np.int64) for _ in range(depth))
    above = LinearRanker(ranker.levels[:depth], ranker.label_order, ranker.config, ranker.n_features, ends)
    level = ranker.levels[depth]
    if not depth:
        return as_csr(np.ones((queries.shape[0], level.n_children)))
    parents = above.search_nodes(queries, beam=beam)
    child = np.repeat(np.arange(level.n_chunks), np.diff(level.child_ptr))
    ones = (np.ones(len(child), np.float32), (child, np.arange(len(child))))
    return as_csr(parents @ as_csr(sp.coo_array(ones, shape=(level.n_chunks, level.n_children))))


def _search_all(ranker: LinearRanker, blocks: list[Csr], beam: int, walk: str) -> None:
    for queries in blocks:
        ranker.search(queries, beam=beam, walk=walk)


def _by_child(plain: list[Csr], blocks: list[Csr], kept: list[list[Csr]]) -> None:
    """The masked product without chunks: every (document, child) pair marches along both lists of features."""
    for queries, masks in zip(blocks, kept, strict=True):
        for level, mask in zip(plain, masks, strict=True):
            match_terms(queries, level, mask.indptr, mask.indices)


if __name__ == "__main__":
    main()
