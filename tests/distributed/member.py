"""Processes of a small cluster on this machine: each reads tasks as JSON lines, does its share, answers likewise."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

RECIPE = {
    "document": {"dim": 16},
    "features": {"word_ngrams": 1, "characters": False},
    "graph": {"walk_length": 50},
    "index": {"exact_below": 50, "beam": 12, "beam_share": 1.0},
    # Before it learns anything, a free vector has no say in the direction of its label, so the slope of its attention
    # is rounding alone, which Adam blows up to steps: with learned attention two orders of sums part at once.
    "label": {"free": True, "bias": True, "attention": "fixed"},
    "linear": {"max_leaf": 8, "beam": 3},
    "rank": {"steps": 40, "fusion_batch": 512, "hidden": 8, "shortlist": 30, "linear_candidates": 12, "seeds": 5},
    "training": {
        "surrogate_epochs": 2, "ranker_epochs": 2, "batch_size": 64, "mined": 12, "hard_negatives": 3,
        "checkpoint_seconds": 1e9, "precision": "float32",
    },
}  # fmt: skip


def recipe_of(changes: dict[str, dict[str, Any]] | None = None) -> Any:
    from eclare_py.config import load_config
    from eclare_py.train.recipe import Recipe

    changes = changes or {}
    return load_config(Recipe, {key: {**RECIPE.get(key, {}), **changes.get(key, {})} for key in {*RECIPE, *changes}})


def dataset_of() -> Any:
    """423 documents and 90 labels; neither divides evenly among 2 or 4 processes."""
    from eclare_py.data.dataset import Dataset

    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(150)]
    label_texts = [f"{words[i]} {words[(i * 7) % 150]}" for i in range(90)]
    chosen = [sorted(set(np.minimum(rng.geometric(0.06, 1 + i % 3), 89).tolist())) for i in range(423)]
    texts = [" ".join([label_texts[label] for label in row] + [str(rng.choice(words))]) for row in chosen]
    pairs = np.array(sorted({(i, int(rng.integers(0, 90))) for i in range(0, 423, 9)}), dtype=np.int64)
    made = Dataset.from_texts(texts, chosen, label_texts)
    return Dataset(made.texts, made.labels, made.label_texts, filter_pairs=pairs)


def listener_of(stop: list[Any] | None, number: int = signal.SIGINT) -> Any:
    """Sends this process a signal at a step: [stage, epoch, step]."""

    def listen(event: str, values: dict[str, Any]) -> None:
        if stop and event == "step" and [values["stage"], values["epoch"], values["step"]] == stop:
            os.kill(os.getpid(), number)

    return listen


def train(
    out: str | None = None, changes: Any = None, folder: str | None = None, resume: bool = False,
    stop: list[Any] | None = None, kill: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Train the network; process 0 writes what it became. Tells its stage, losses and the bytes of its label tables."""
    from eclare_py.distributed import current
    from eclare_py.train import fit
    from eclare_py.train.events import EventLog

    told: list[float] = []
    listen = listener_of(stop, signal.SIGKILL if kill else signal.SIGINT)

    def hear(event: str, values: dict[str, Any]) -> None:
        listen(event, values)
        if event == "epoch":
            told.append(values["loss"])

    place = Path(folder) if folder and current().leads else None
    sizes: list[int] = []
    whole = fit.gathered_whole

    def measure(network: Any, *values: Any) -> Any:
        sizes.append(label_bytes(network))
        return whole(network, *values)

    fit.gathered_whole = measure
    try:
        session = fit.train_network(
            dataset_of(), recipe_of(changes), log=EventLog(None, hear), folder=place, resume=resume, device="cpu"
        )
    except KeyboardInterrupt:
        return {"stopped": True}
    finally:
        fit.gathered_whole = whole
    if out is not None and current().leads:
        np.savez(out, **arrays_of(session))
    return {"losses": told, "bytes": sizes[0] if sizes else label_bytes(session.network)}


def label_bytes(network: Any) -> int:
    """What a process holds of labels: free vectors and biases with their accumulators, and the terms of the hops."""
    from eclare_py.train.shared.state import LABEL_TABLES

    tables = sum(value.nbytes for name, value in network.state_dict().items() if name in LABEL_TABLES)
    return int(tables + sum(hop.rows.data.nbytes + hop.rows.indices.nbytes for hop in network.hops.spread))


def arrays_of(session: Any) -> dict[str, np.ndarray]:
    """Parameters, and what they make of labels and documents."""
    network = session.network
    found = {name.replace(".", "/"): value.numpy() for name, value in network.state_dict().items()}
    return found | {
        "labels": network.encode_labels(),
        "documents": network.encode_documents(session.prepared.inputs),
    }


def open_checkpoint(folder: str, out: str) -> dict[str, Any]:
    """Load a checkpoint, save it again where `out` says, and rank the held-out documents with it."""
    import torch

    from eclare_py.distributed import current
    from eclare_py.index import exact_search
    from eclare_py.train import fit
    from eclare_py.train.events import EventLog
    from eclare_py.train.indexing import label_bias
    from eclare_py.train.prepare import prepare
    from eclare_py.train.shared.search import best_of_all

    prepared = prepare(dataset_of(), recipe_of(), folder=None)
    place = Path(folder) if current().leads else None
    session = fit._open(prepared, recipe_of(), torch.device("cpu"), EventLog(None), place, True)
    network = session.network
    found = exact_search(
        network.encode_documents(prepared.held_out_inputs), label_vectors=network.encode_labels(),
        label_bias=label_bias(network), k=20,
    )  # fmt: skip
    ranking = best_of_all(found, network.shard, current())
    session.folder = Path(out) if current().leads else None
    fit.save(session)
    return {"indices": ranking.indices.tolist(), "scores": ranking.scores.tolist(), "rows": len(network.shard)}


def exchanges() -> dict[str, Any]:
    """Each kind of exchange once, on shapes that differ between processes."""
    import torch

    from eclare_py.distributed import Shard, current

    group = current()
    shard = Shard.of(7, group)
    rows = torch.arange(14, dtype=torch.float32).view(7, 2)[shard.part]
    numbers = np.arange(group.rank, dtype=np.int32), np.full((group.rank + 1, 2), group.rank, dtype=np.float64)
    at_leader = group.gather(*numbers)
    return {
        "sum": group.sum(torch.tensor([1.0, float(group.rank)])).tolist(),
        "rows": shard.whole([part.numpy() for part in group.gather_rows(rows, shard.counts)]).tolist(),
        "all": [[part.tolist() for part in one] for one in group.gather_all(*numbers)],
        "leader": [[part.tolist() for part in one] for one in at_leader],
        "shared": group.share(np.array([[1, 2], [3, 4]], dtype=np.int16) if group.leads else None).tolist(),
        "empty": group.share(np.empty((0, 3), dtype=np.float32) if group.leads else None).shape,
        "any": group.any(group.rank == 1, False),
        "traffic": sorted(group.traffic),
    }


def model(recipe: str, data: str, out: str) -> dict[str, Any]:
    """What the command line does: a recipe and a data folder into a model folder."""
    from eclare_py.data.dataset import load_dataset
    from eclare_py.distributed import current
    from eclare_py.estimator import EclareClassifier

    classifier = EclareClassifier.from_recipe(recipe, device="cpu").fit(load_dataset(data))
    if current().leads:
        classifier.save(out)
    return {"has_model": classifier._pipeline is not None}


def refuse(changes: list[Any]) -> dict[str, Any]:
    """Train with what several processes do not train; each process has its own changes to the recipe."""
    from eclare_py.distributed import current
    from eclare_py.train.fit import train as fit

    fit(dataset_of(), recipe_of(changes[current().rank]), device="cpu")
    return {}


def cluster_points(n: int, n_clusters: int) -> dict[str, Any]:
    """The order of random points; process 0 tells it."""
    from eclare_py.distributed import current
    from eclare_py.index.clustering import balanced_order
    from eclare_py.index.descent import assist

    group = current()
    if not group.leads:
        assist(group)
        return {}
    points = np.random.default_rng(n).standard_normal((n, 6)).astype(np.float32)
    return {"order": balanced_order(points, n_clusters, seed=3, group=group).tolist()}


def count_pairs(block_rows: int) -> dict[str, Any]:
    """The label graph, counted in small blocks."""
    from eclare_py.distributed import current
    from eclare_py.graph.cooccurrence import cooccurrence_graph

    graph = cooccurrence_graph(
        dataset_of().labels, weighting="cosine", top_k=5, min_count=2, block_rows=block_rows, group=current()
    )
    return {name: getattr(graph, name).tolist() for name in ("indptr", "indices", "data")}


TASKS = {
    task.__name__: task
    for task in (train, model, refuse, open_checkpoint, exchanges, cluster_points, count_pairs)
}


def serve(rank: int, tasks: int, answers: int) -> None:
    """Do tasks until the input ends.

    Args:
        rank: Number of this process.
        tasks: File descriptor that tasks come from.
        answers: Where answers go.
    """
    from eclare_py.distributed.processes import joined

    with os.fdopen(tasks) as lines, os.fdopen(answers, "w") as out:
        for line in lines:
            task = json.loads(line)
            world = str(task["world"])
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(task["port"])}
            try:
                with joined("cpu"):
                    answer = TASKS[task["task"]](**task["settings"])
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            out.write(json.dumps(answer) + "\n")
            out.flush()


def main() -> None:
    """Load what all need once, then become as many processes as there are pairs of descriptors in the arguments."""
    import torch_geometric.nn  # noqa: F401
    import transformers  # noqa: F401

    import eclare_py.train.fit  # noqa: F401

    pairs = [tuple(map(int, word.split(","))) for word in sys.argv[1:]]
    for rank, (tasks, answers) in enumerate(pairs):
        if not os.fork():
            for one in {*sum(pairs, ())} - {tasks, answers}:
                os.close(one)  # or nobody would see the end of a line that others hold open
            serve(rank, tasks, answers)
            os._exit(0)
    for one in {*sum(pairs, ())}:
        os.close(one)
    for _ in pairs:
        os.wait()


if __name__ == "__main__":
    main()
