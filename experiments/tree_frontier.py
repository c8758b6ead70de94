"""Can a search be cheaper at the same quality? Label trees from balanced to Fano, on the sparse and the dense ranker.

    python experiments/tree_frontier.py --data build/debian build/yso                 # XR-Linear
    python experiments/tree_frontier.py --dense --data build/debian build/yso         # the tree of label vectors
    python experiments/tree_frontier.py --validation --data build/debian --variants all

By default a part of the grid runs, `--variants all` runs every tenth of lambda. With `--validation` a tenth of the
train split is held out and stands for the test split: settings were chosen so. For times that mean something, leave
the machine alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from runner import Experiment, Results, Variant, main, plots

from eclare_py import Dataset, Ranking
from eclare_py.data import DataFolder
from eclare_py.index import search, search_counted
from eclare_py.index.expected import tree_walk
from eclare_py.linear.work import ranker_walk, search_work

BALANCED = "balanced"
INTERPOLATIONS = ("mass", "penalty", "key")
STEPS = tuple(round(0.1 * step, 1) for step in range(1, 11))
COARSE = (0.2, 0.4, 0.6, 0.8, 1.0)
SHOWN = ("P@1", "P@5", "PSP@5", "R@10", "R@100", "walk_products", "walk_opened", "beam_products", "beam_opened",
         "search_us")  # fmt: skip
QUERIES, ROUNDS, K = 400, 5, 10
PROXIES = {
    "walk_products": "expected products of one walk",
    "beam_products": "products of a search",
    "search_us": "microseconds of a search",
}


def chances(folder: DataFolder) -> np.ndarray:
    """(L,) shares of the labels of test documents: who asks."""
    assert folder.test is not None
    counts = folder.test.label_frequencies
    return np.asarray(counts / counts.sum())


def fastest(call: Callable[[int], Any], queries: int) -> float:
    """Processor microseconds of a call in this thread: the least of the means over some rounds.

    Other work on the machine is not counted; what it costs in caches makes the mean of a round larger, never smaller.
    """
    call(0)
    found = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        for query in range(queries):
            call(query)
        found.append((time.thread_time() - started) / queries)
    return 1e6 * min(found)


def study_sparse(pipeline: Any, dataset: Dataset, folder: DataFolder, ranking: Ranking) -> Mapping[str, float]:
    """Work of the first tree of a linear model; times leave the reading of the text out."""
    assert folder.test is not None
    ranker = pipeline.trees[0]
    rows = pipeline.features.transform(folder.test.texts[: 5 * QUERIES])
    walk, work = ranker_walk(ranker, chances(folder)), search_work(ranker, rows, beam=ranker.config.beam, k=K)
    single = [rows[i : i + 1] for i in range(min(QUERIES, rows.shape[0]))]
    return {
        "walk_products": walk.products,
        "walk_opened": walk.opened,
        "beam_products": work.products,
        "beam_opened": work.opened,
        "search_us": fastest(lambda i: ranker.paths(single[i], K), len(single)),
    }


def study_dense(pipeline: Any, dataset: Dataset, folder: DataFolder, ranking: Ranking) -> Mapping[str, float]:
    """Work of the tree over label vectors, and of the search of the whole model's shortlist in it."""
    assert folder.test is not None
    scorer = pipeline.ranker.scorer
    vectors = pipeline.encode(folder.test.texts[:QUERIES]).vectors
    settings = {"beam": scorer.beam, "label_vectors": scorer.vectors, "label_bias": scorer.bias}
    settings |= {"k": pipeline.ranker.config.shortlist, "codes": pipeline.ranker.codes}
    walk, scored = tree_walk(scorer.tree, chances(folder)), search_counted(scorer.tree, vectors, **settings)[1]
    return {
        "walk_products": walk.products,
        "walk_opened": walk.opened,
        "labels_scored": float(scored.mean()),
        "search_us": fastest(lambda i: search(scorer.tree, vectors[i : i + 1], **settings), len(vectors)),
    }


def grid(section: str) -> tuple[Variant, ...]:
    """Lambda by lambda of every interpolation."""
    return tuple(
        Variant(
            f"{kind} {step}",
            (f"{section}.latency.frequency={step}", f"{section}.latency.interpolation={kind}"),
        )
        for kind in INTERPOLATIONS
        for step in STEPS
    )


def draw(results: Results, path: Path) -> None:
    """P@5 and R@100 against every proxy, a row a data set and metric; one colour an interpolation."""
    rows = [(data, metric) for data in results.data for metric in ("P@5", "R@100")]
    figure, axes = plots.panels(len(rows), len(PROXIES), width=4.0, height=2.7)
    for line, (data, metric) in zip(axes, rows, strict=True):
        for panel, (proxy, title) in zip(line, PROXIES.items(), strict=True):
            _lines(panel, results, data, metric, proxy)
            panel.set_xlabel(title, color=plots.INK)
        line[0].set_ylabel(f"{metric}, {data}", color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Label trees from balanced to Fano", path)


def _lines(panel: Any, results: Results, data: str, metric: str, proxy: str) -> None:
    there = results.variants(data)
    others = [name for name in there if name.split(" ")[0] not in (*INTERPOLATIONS, BALANCED)]
    families = {kind: [BALANCED, *(f"{kind} {step}" for step in STEPS)] for kind in INTERPOLATIONS}
    families |= {name: [name] for name in (*(one for one in there if one.startswith(f"{BALANCED},")), *others)}
    for place, (family, names) in enumerate(families.items()):
        spent = {name: results.spread(data, name, proxy) for name in names if name in there}
        known = {name: one.mean for name, one in spent.items() if one is not None}
        if set(known) - {BALANCED}:
            values = [results.spread(data, name, metric) for name in known]
            steps = [name.split(" ")[1] if family in INTERPOLATIONS and name != BALANCED else "" for name in known]
            plots.curve(panel, list(known.values()), values, label=family, place=place, points=steps)


CONTROLS = (
    Variant("balanced, beam 5", ("linear.beam=5",)),
    Variant("balanced, leaves of 50", ("linear.max_leaf=50",)),
    Variant("balanced, close 4.5", ("linear.close=4.5",)),
)
FAST = Variant("fast", recipe="xr_linear_fast")
GRID = grid("linear")
EXPERIMENT = Experiment(
    name="tree_frontier",
    question="Can a linear tree be searched for less at the same quality?",
    variants=tuple(
        replace(one, recipe=one.recipe or "xr_linear") for one in (Variant(BALANCED), *GRID, *CONTROLS, FAST)
    ),
    base=BALANCED,
    shown=SHOWN,
    draw=draw,
    extra=frozenset(one.name for one in GRID if float(one.name.split(" ")[1]) not in COARSE),
    study=study_sparse,
    notes=(
        "*Balanced* is the recipe `xr_linear`. *mass*, *penalty* and *key* are the three ways from it to a Fano tree, "
        "followed by lambda. A walk leads to one label drawn like those of test documents; a search is a beam search "
        "for 10 labels. *opened* counts nodes whose children are scored, *products* these children; *search_us* is one "
        "query without the reading of its text. *fast* is the recipe `xr_linear_fast`."
    ),
)
DENSE_GRID = grid("index")
HALF_BEAMS = (
    Variant("balanced, beam 300", ("index.beam=300",)),
    Variant("fast", ("index.beam=300", "index.latency.frequency=0.6", "index.latency.slack=0")),
)
DENSE = replace(
    EXPERIMENT,
    name="tree_frontier_dense",
    question="Can the tree over label vectors be searched for less at the same quality?",
    variants=(Variant(BALANCED), *DENSE_GRID, *HALF_BEAMS),
    shown=("P@1", "P@5", "PSP@5", "R@10", "R@100", "walk_products", "walk_opened", "labels_scored", "search_us"),
    extra=frozenset(one.name for one in DENSE_GRID if float(one.name.split(" ")[1]) not in (0.5, 1.0)),
    study=study_dense,
    notes=(
        "The tree of label vectors of the recipe at hand, from which the shortlist comes, with the linear ranker over "
        "its upper part. *walk* and *search_us* are of the tree of label vectors alone. *fast* is lambda 0.6 with half "
        "of the beam, and no path longer than in the balanced tree."
    ),
)


def held_out(folder: DataFolder) -> DataFolder:
    """A tenth of the train split in the place of the test split."""
    train, test = folder.train.split(min(4000, folder.train.n_documents // 10), seed=0)
    return replace(folder, train=train, test=test)


if __name__ == "__main__":
    flags = {"--dense", "--validation"}
    main(
        DENSE if "--dense" in sys.argv else EXPERIMENT,
        words=[word for word in sys.argv[1:] if word not in flags],
        part=held_out if "--validation" in sys.argv else lambda folder: folder,
    )
