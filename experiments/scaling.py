"""What do several processes send each other at a training step, and what does each hold, as labels become millions?

    python experiments/scaling.py
    python experiments/scaling.py --labels 50000 --processes 1 2 --out build/scaling

Labels, texts and graph are made up: eight terms and ten neighbours a label, forty terms and four labels a document. For
each number of labels and of processes torchrun starts the processes over gloo on this machine; they take a few steps of
the ranker stage (free vectors, biases, mined negatives), count the bytes that each gives into every exchange, and tell
what each holds of labels. The formulas below are checked against that, and then say what ten million labels and eight
GPUs would need: nothing of the projection is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

DIM, BATCH, TERMS, STEPS = 256, 1024, 100_000, 4
LABEL_TERMS, NEIGHBOURS, DOCUMENT_TERMS, RELEVANT, MINED, HOP_TERMS = 8, 10, 40, 4, 10, 64
KEPT = 0.7  # share of the terms that dropout leaves
LINKS = {"NVLink, 300 GB/s": 300e9, "network, 25 GB/s": 25e9}


def main() -> None:
    """Start the processes, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[50_000, 200_000, 500_000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scaling")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.labels[0], options.device, options.worker)
        return
    measured = [
        launched(n, world, options.device) for n in sorted(options.labels) for world in sorted(options.processes)
    ]
    result = {"settings": settings(), "measured": measured, "projected": projections()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    table = as_markdown(result)
    options.out.with_suffix(".md").write_text(table, encoding="utf-8")
    print(table)


def settings() -> dict[str, int]:
    """The sizes of what is made up."""
    return {
        "dim": DIM, "batch": BATCH, "terms": TERMS, "label_terms": LABEL_TERMS, "neighbours": NEIGHBOURS,
        "document_terms": DOCUMENT_TERMS, "relevant": RELEVANT, "mined": MINED, "hop_terms": HOP_TERMS,
    }  # fmt: skip


def launched(n_labels: int, world: int, device: str) -> dict[str, Any]:
    """Figures of one size on some processes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "figures.json"
        words = ["--standalone", "--nproc-per-node", str(world), __file__, "--worker", str(place)]
        words += ["--labels", str(n_labels), "--device", device]
        source = str(Path(__file__).resolve().parents[1])
        paths = {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]), "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "torch.distributed.run", *words], check=True, env={**os.environ, **paths})
        figures: dict[str, Any] = json.loads(place.read_text())
    return figures


def work(n_labels: int, device: str, place: Path) -> None:
    """One of the processes: some steps, then what all of them counted."""
    from eclare_py.distributed.processes import joined

    with joined(device) as group:
        found = steps(n_labels, group, device)
        columns = group.gather(*(np.array([value], dtype=np.float64) for value in found.values()))
        if group.leads:
            figures = {name: [float(part[0]) for part in parts] for name, parts in zip(found, columns, strict=True)}
            place.write_text(json.dumps({"labels": n_labels, "processes": group.world, **figures}))


def steps(n_labels: int, group: Any, device: str) -> dict[str, float]:
    """Train a few steps and measure."""
    import torch

    from eclare_py.distributed import Shard
    from eclare_py.model.config import DocumentEncoderConfig, LabelEncoderConfig
    from eclare_py.model.network import EclareNetwork, LabelSide
    from eclare_py.train.batches import BatchSource
    from eclare_py.train.checkpoint import Cursor
    from eclare_py.train.device import choose_device
    from eclare_py.train.events import EventLog
    from eclare_py.train.loop import StageRun, run_stage
    from eclare_py.train.optimizer import Rates
    from eclare_py.train.shared.crew import Crew

    rng = np.random.default_rng(0)
    labels = labels_of(rng, n_labels)
    texts, graph, inputs = label_side(rng, n_labels)
    shard = Shard.of(n_labels, group)
    network = EclareNetwork(
        LabelSide(texts, graph, np.bincount(labels.indices, minlength=n_labels).astype(np.int64)),
        DocumentEncoderConfig(dim=DIM), LabelEncoderConfig(), shard=shard,
    ).to(choose_device(device))  # fmt: skip
    network.per_label = True
    optimizer = torch.optim.Adam(network.dense_parameters(), 1e-3)
    crew = Crew(group, network) if group.world > 1 else None
    own = inputs[Shard.of(len(inputs), group).ids]
    source = BatchSource(
        labels, np.empty((0, 2), dtype=np.int64), batch_size=BATCH, seed=0, stage="ranker", shard=shard
    )
    negatives = rng.integers(0, n_labels, (len(inputs), MINED))
    run = StageRun(
        "ranker", 1, Rates(0.05, 0.003, 1e-3), source, own, Cursor("ranker"), save=lambda: None,
        after_epoch=lambda epoch: None, mine=lambda: negatives, drawn=MINED, crew=crew, checkpoint_seconds=1e9,
    )  # fmt: skip
    at_hand = [len(batch.at_hand) for _, batch in source.epoch(0, negatives=negatives, drawn=MINED)]
    if crew is not None:
        crew.begin(own, len(inputs))
    network.hops  # noqa: B018 - built before the clock runs
    group.traffic.clear()
    started = time.perf_counter()
    run_stage(network, optimizer, run, EventLog(None))
    seconds = (time.perf_counter() - started) / source.steps
    return {
        "at_hand": float(np.mean(at_hand)), "seconds_per_step": seconds,
        **{f"given_{kind}": value / source.steps for kind, value in sorted(group.traffic.items())},
        **held(network, optimizer),
    }  # fmt: skip


def labels_of(rng: np.random.Generator, n_labels: int) -> Any:
    """(N, L) label matrix, low ids far more frequent."""
    from eclare_py.types import Csr, as_csr

    n = BATCH * STEPS
    ids = (rng.random((n, RELEVANT)) ** 3 * n_labels).astype(np.int64)
    return as_csr(Csr((np.ones(ids.size, np.float32), ids.ravel(), np.arange(n + 1) * RELEVANT), shape=(n, n_labels)))


def label_side(rng: np.random.Generator, n_labels: int) -> tuple[Any, Any, Any]:
    """Label texts, label graph and documents."""
    from eclare_py.graph.label_graph import LabelGraph
    from eclare_py.model.inputs import Inputs

    adjacency = random_rows(rng, n_labels, n_labels, NEIGHBOURS)
    graph = LabelGraph.from_adjacency(adjacency, kind="cosine", normalization="row")
    texts = Inputs(random_rows(rng, n_labels, TERMS, LABEL_TERMS))
    return texts, graph, Inputs(random_rows(rng, BATCH * STEPS, TERMS, DOCUMENT_TERMS))


def random_rows(rng: np.random.Generator, rows: int, columns: int, width: int) -> Any:
    """(rows, columns) CSR of about `width` entries a row."""
    from eclare_py.types import Csr, as_csr

    ids = rng.integers(0, columns, (rows, width))
    return as_csr(Csr((np.ones(ids.size, np.float32), ids.ravel(), np.arange(rows + 1) * width), shape=(rows, columns)))


def held(network: Any, optimizer: Any) -> dict[str, float]:
    """Bytes that this process holds: of its labels, and of what every process has."""
    encoder, moments = network.label_encoder, optimizer.state[network.label_encoder.bias]
    tables = [encoder.free.weight, encoder.free.accumulator, encoder.bias, moments["exp_avg"], moments["exp_avg_sq"]]
    terms = [hop.rows for hop in (network.hops.texts, *network.hops.spread)]
    replicated = [network.bag.weight, network.bag.accumulator]
    dense = sum(p.numel() for p in network.dense_parameters() if p is not encoder.bias)
    return {
        "label_tables": float(sum(table.nbytes for table in tables)),
        "label_terms": float(sum(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes for rows in terms)),
        "term_table": float(sum(table.nbytes for table in replicated)), "dense_parameters": float(dense),
    }  # fmt: skip


def exchanged(batch: int, at_hand: float, dim: int, dense: float, world: int) -> dict[str, float]:
    """Bytes that one process receives at a step, by kind; a ring moves 2 (R-1)/R of what it adds up.

    Every process gets the vectors of the documents of others (B d), adds up their slopes (B d), gets the gradients of
    the texts of others (B + 2 l rows of d: documents, and hop 0 and hop 1 of the labels at hand) with their terms, adds
    up the gradients of the P dense parameters, and three numbers a document for the softmax.
    """
    others, ring = (world - 1) / world, 2 * (world - 1) / world
    entries = KEPT * (batch * DOCUMENT_TERMS + at_hand * (LABEL_TERMS + HOP_TERMS))
    return {
        "document vectors": others * batch * dim * 4,
        "their slopes": ring * batch * dim * 4,
        "text gradients": others * (batch + 2 * at_hand) * dim * 4,
        "their terms": others * entries * 8,
        "dense gradients": ring * dense * 4,
        "softmax": others * world * batch * 4 + 2 * ring * batch * 4,
    }


def label_bytes(dim: int) -> int:
    """Bytes a label takes where it is held: free vector, accumulator, bias and its two moments; terms of two hops."""
    return 4 * dim + 4 + 4 + 8 + 12 * (LABEL_TERMS + HOP_TERMS) + 16


def projections() -> list[dict[str, Any]]:
    """What a step would take on 8 GPUs, 1024 documents on each."""
    found = []
    for n_labels in (1_000_000, 3_000_000, 10_000_000):
        world, batch = 8, 8 * BATCH
        drawn = batch * (RELEVANT + MINED)
        at_hand = n_labels * (1 - np.exp(-drawn / n_labels))  # distinct ones, if all were equally likely
        parts = exchanged(batch, at_hand, DIM, 2 * DIM**2, world)
        found.append({
            "labels": n_labels, "processes": world, "batch": batch, "at_hand": round(at_hand),
            "label_GB_per_process": round(n_labels / world * label_bytes(DIM) / 1e9, 2),
            "label_GB_of_one": round(n_labels * label_bytes(DIM) / 1e9, 2),
            "received_MB": round(sum(parts.values()) / 1e6, 1),
            "parts_MB": {name: round(value / 1e6, 1) for name, value in parts.items()},
            "milliseconds": {name: round(sum(parts.values()) / speed * 1e3, 1) for name, speed in LINKS.items()},
            "TFLOP_of_scores": round(6 * batch * at_hand * DIM / world / 1e12, 3),
        })  # fmt: skip
    return found


def as_markdown(result: dict[str, Any]) -> str:
    """Both tables."""
    lines = ["# Several processes: what they hold and what they send", ""]
    lines += ["Measured over gloo on one machine (seconds are those of two cores that others used too):", ""]
    lines += ["| labels | processes | label MB a process | formula | at hand | MB given a step | formula | s a step |"]
    lines += ["|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for one in result["measured"]:
        world = int(one["processes"])
        held_here = max(a + b for a, b in zip(one["label_tables"], one["label_terms"], strict=True)) / 1e6
        given = sum(value[0] for name, value in one.items() if name.startswith("given_")) / 1e6
        lines += [
            f"| {one['labels']:,} | {world} | {held_here:.1f} | {one['labels'] / world * label_bytes(DIM) / 1e6:.1f} | "
            f"{one['at_hand'][0]:,.0f} | {given:.2f} | {given_by_formula(one) / 1e6:.2f} | "
            f"{max(one['seconds_per_step']):.2f} |"
        ]
    lines += ["", "By formula, 8 GPUs with 1,024 documents each:", ""]
    lines += ["| labels | label GB a GPU (one: all) | at hand | MB received a step | " + " | ".join(LINKS) + " |"]
    lines += ["|---:|---:|---:|---:|" + "---:|" * len(LINKS)]
    for one in result["projected"]:
        times = " | ".join(f"{value} ms" for value in one["milliseconds"].values())
        lines += [
            f"| {one['labels']:,} | {one['label_GB_per_process']} ({one['label_GB_of_one']}) | {one['at_hand']:,} | "
            f"{one['received_MB']} | {times} |"
        ]
    return "\n".join(lines) + "\n"


def given_by_formula(one: dict[str, Any]) -> float:
    """Bytes that process 0 gives into the exchanges of a step: its part of what is gathered, all of what is added."""
    world = int(one["processes"])
    if world == 1:
        return 0.0
    entries = KEPT * (BATCH * DOCUMENT_TERMS + one["at_hand"][0] * (LABEL_TERMS + HOP_TERMS))
    rows = BATCH + 2 * one["at_hand"][0]
    gathered = (BATCH * DIM * 4 + rows * DIM * 4 + entries * 8 + rows * 4) / world + BATCH * 4
    return gathered + BATCH * DIM * 4 + 2 * BATCH * 4 + one["dense_parameters"][0] * 4


if __name__ == "__main__":
    main()
