"""What each part of the model gives: train without it, same data, same budget, and compare on the test split.

    python experiments/ablation.py --data build/debian --out build/ablation.json --seeds 0 1 2

Variants that differ in index or ranking alone share one trained network, so what they show is not the noise of
training. Writes a JSON with every figure, goes on where it stopped, and prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from eclare_py import evaluate, load_dataset
from eclare_py.config import apply_overrides, load_config, read_recipe
from eclare_py.data import DataFolder
from eclare_py.train.events import EventLog
from eclare_py.train.fit import assemble, train_network
from eclare_py.train.recipe import Recipe

NO_HOPS = ("label.propagation.hops=0", "index.graph_weight=0")
NO_SPREAD = ("rank.graph_candidates=0", "rank.graph_features=false")
RANKER_STAGE = ("training.ranker_epochs=1", "label.free=true", "label.bias=true")
# name: (settings of the network, settings of the ranking alone)
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "full recipe": ((), ()),
    "no graph": (NO_HOPS, NO_SPREAD),
    "no linear ranker": ((), ("rank.linear=false",)),
    "1 hop only": ((), NO_SPREAD),
    "2 hops only": (("label.propagation.hops=2",), NO_SPREAD),
    "graph in the ranker only": (NO_HOPS, ()),
    "graph-augmented shortlist only": (NO_HOPS, ("rank.graph_features=false",)),
    "encoder edges: walk, as in the paper": (("graph.kind=walk", "graph.min_count=1"), ()),
    "ranker edges: walk": ((), ("rank.support.kind=walk",)),
    "ranker edges: lift": ((), ("rank.support.kind=lift",)),
    "ranker edges: jaccard": ((), ("rank.support.kind=jaccard",)),
    "fixed weights instead of attention": (("label.attention=fixed",), ()),
    "no label text": (("label.text=false",), ("rank.words=false",)),
    "no words in the fusion": ((), ("rank.words=false",)),
    "no documents in the fusion": ((), ("rank.documents=false",)),
    "ranker stage with free vectors": (RANKER_STAGE, ()),
    "the same without the graph": ((*RANKER_STAGE, *NO_HOPS), NO_SPREAD),
}
SHOWN = ("P@1", "P@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")


def main() -> None:
    """Run the variants asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--recipe", default=Path("configs/default.yaml"), type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments = parser.parse_args()
    folder = load_dataset(arguments.data)
    results: list[dict[str, Any]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    for seed in arguments.seeds:
        for network in dict.fromkeys(VARIANTS[name][0] for name in arguments.variants):
            names = [name for name in arguments.variants if VARIANTS[name][0] == network]
            todo = [n for n in names if not any(r["variant"] == n and r["seed"] == seed for r in results)]
            if todo:
                results += run(folder, arguments.recipe, network, todo, seed)
                arguments.out.parent.mkdir(parents=True, exist_ok=True)
                arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def run(folder: DataFolder, path: Path, network: tuple[str, ...], names: list[str], seed: int) -> list[dict[str, Any]]:
    """Train one network and score every ranking variant of it on the test split."""
    if folder.test is None:
        raise SystemExit(f"{folder.path} has no test split")
    started = time.process_time()
    test, found = folder.test, []
    with EventLog(None) as log:
        session = train_network(folder.train, recipe(path, (*network, f"seed={seed}")), log=log)
        trained = time.process_time() - started
        for name in names:
            before = time.process_time()
            settings = recipe(path, (*network, *VARIANTS[name][1], f"seed={seed}"))
            pipeline = assemble(session, settings)
            ranking = pipeline.rank(test.texts, 100, hidden=test.filter_pairs)
            result = evaluate(
                ranking, test.labels, folder.train.label_frequencies, folder.train.n_documents,
                filter_pairs=test.filter_pairs, propensity_a=folder.propensity_a, propensity_b=folder.propensity_b,
            )  # fmt: skip
            cost = trained + time.process_time() - before
            found.append({"variant": name, "seed": seed, "metrics": result.metrics, "cpu_seconds": round(cost, 1)})
            print(name, seed, {key: result.metrics[key] for key in SHOWN}, flush=True)
    return found


def recipe(path: Path, overrides: tuple[str, ...]) -> Recipe:
    """The recipe file with some settings changed."""
    return load_config(Recipe, apply_overrides(read_recipe(path), overrides), str(path))


def table(results: list[dict[str, Any]]) -> str:
    """Mean and spread (standard deviation over seeds) of every variant, as Markdown."""
    lines = ["| variant | seeds | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 2) + "|"]
    for name in dict.fromkeys(result["variant"] for result in results):
        rows = [result["metrics"] for result in results if result["variant"] == name]
        cells = []
        for key in SHOWN:
            values = [row[key] for row in rows]
            spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.2f}{spread}")
        lines.append(f"| {name} | {len(rows)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
