"""What a trained model costs: time for one document and for many, start, size, and the time to build its label graph.

    python experiments/bench.py
    python experiments/bench.py --model models/mine --data data/mine --json bench.json

One document: raw text to its top 10, model loaded, one text after the other, in a process that has one core.
Ready: from the start of a new process to its first answer: imports, loading and checking the model, one prediction.
Graph: the graph that the label encoder uses and the one that the ranker uses, built anew from the whole train split.
Compiled code is warmed up first, so that nothing here measures a compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODEL, DATA = Path("build/quickstart/model"), Path("build/quickstart/data")
WARM_UP = 50  # texts answered before the clock starts
# Read when the libraries are imported: too late to set once they are.
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}


def main() -> None:
    """Measure, show the figures, write them where asked."""
    arguments = parse()
    if arguments.single:  # the part that runs in a process of its own
        print(json.dumps(one_document(arguments.model, arguments.data, arguments.documents, arguments.top_k)))
        return
    for path in (arguments.model, arguments.data):
        if not path.is_dir():
            sys.exit(f"{path} is not there: run `make quickstart` first, or name others with --model and --data")
    figures: dict[str, Any] = {"model": size(arguments.model), "machine": machine()}
    figures["many_documents"] = many_documents(arguments.model, arguments.data, arguments.top_k)
    figures["one_document"] = single_process(arguments)
    figures["graph"] = graphs(arguments.model, arguments.data)
    show(figures)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(f"written to {arguments.json}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help=f"a model folder [{MODEL}]")
    parser.add_argument("--data", type=Path, default=DATA, help=f"the data folder it was trained on [{DATA}]")
    parser.add_argument("--documents", type=int, default=1000, help="texts timed one by one [1000]")
    parser.add_argument("--top-k", type=int, default=10, help="labels per text [10]")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--single", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def texts_of(data: Path) -> list[str]:
    """Texts of the test split, or of train where there is none."""
    from eclare_py import load_dataset

    folder = load_dataset(data)
    return (folder.train if folder.test is None else folder.test).texts


def single_process(arguments: argparse.Namespace) -> dict[str, Any]:
    """`one_document` in a new process with one thread."""
    command = [
        sys.executable, __file__, "--single", "--model", str(arguments.model), "--data", str(arguments.data),
        "--documents", str(arguments.documents), "--top-k", str(arguments.top_k),
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def one_document(model: Path, data: Path, count: int, k: int) -> dict[str, Any]:
    """Latency of one text, on one core; and the time to load the model and to be ready in a new process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    started = time.perf_counter()
    from eclare_py import EclareClassifier

    before = time.perf_counter()
    classifier = EclareClassifier.load(model)
    loaded = time.perf_counter() - before
    classifier.predict(["a first text"], k)
    ready = time.perf_counter() - started
    texts = texts_of(data)
    step = max(len(texts) // count, 1)  # spread over the set: neighbours in a file can be alike
    chosen = texts[::step][:count]
    for text in chosen[:WARM_UP]:
        classifier.predict([text], k)
    seconds, used = [], time.process_time()
    for text in chosen:
        before = time.perf_counter()
        classifier.predict([text], k)
        seconds.append(time.perf_counter() - before)
    used = time.process_time() - used
    return {
        "documents": len(chosen),
        "top_k": k,
        "p50_ms": round(1000 * quantile(seconds, 0.50), 3),
        "p99_ms": round(1000 * quantile(seconds, 0.99), 3),
        "mean_cpu_ms": round(1000 * used / len(chosen), 3),  # what other programs on the machine cannot inflate
        "load_seconds": round(loaded, 3),
        "ready_seconds": round(ready, 3),
        "peak_memory_MB": peak_memory(),
    }


def many_documents(model: Path, data: Path, k: int) -> dict[str, Any]:
    """Documents per second in one call, on all cores. Compiles what is not compiled yet."""
    from eclare_py import EclareClassifier

    classifier, texts = EclareClassifier.load(model), texts_of(data)
    classifier.predict(texts[:WARM_UP], k)
    classifier.predict(texts[:1], k)
    started = time.perf_counter()
    classifier.predict(texts, k)
    seconds = time.perf_counter() - started
    return {"documents": len(texts), "top_k": k, "documents_per_second": round(len(texts) / seconds, 1)}


def graphs(model: Path, data: Path) -> dict[str, Any]:
    """Seconds and edges of the two label graphs with the settings of the model's recipe."""
    from eclare_py import Dataset, EclareClassifier, load_dataset
    from eclare_py.config import load_config
    from eclare_py.graph import GraphConfig, build_label_graph

    recipe = EclareClassifier.load(model).describe()["recipe"]
    labels = load_dataset(data).train.labels
    tiny = Dataset.from_texts(["one", "two"], [["a", "b"], ["b", "c"]]).labels
    found: dict[str, Any] = {"labels": labels.shape[1], "documents": labels.shape[0]}
    for name, values in (("label_encoder", recipe["graph"]), ("ranker", recipe["rank"]["support"])):
        # Pruning needs the label vectors of the training; it is left out, and takes little.
        config = load_config(GraphConfig, {**values, "prune_below": None}, str(model))
        build_label_graph(tiny, config)  # compiles
        started = time.perf_counter()
        graph = build_label_graph(labels, config)
        found[name] = {"seconds": round(time.perf_counter() - started, 2), "edges": graph.n_edges}
    return found


def size(model: Path) -> dict[str, Any]:
    """Size of the model on disk."""
    total = sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
    return {"path": str(model), "MB": round(total / 1e6, 1)}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cores": os.cpu_count(), "system": platform.platform(terse=True), "python": platform.python_version()}


def peak_memory() -> float | None:
    """Largest memory of this process so far in MB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def show(figures: dict[str, Any]) -> None:
    """The figures as lines for people."""
    one, many, graph = figures["one_document"], figures["many_documents"], figures["graph"]
    edges = ", ".join(
        f"{name.replace('_', ' ')} {graph[name]['seconds']:.2f} s ({graph[name]['edges']:,} edges)"
        for name in ("label_encoder", "ranker")
    )
    cores = figures["machine"]["cores"]
    for name, value in (
        ("one document, one core", f"p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms (top {one['top_k']})"),
        ("", f"{one['mean_cpu_ms']:.2f} ms of processor time, whatever else runs"),
        (f"in one call, {cores} cores", f"{many['documents_per_second']:,.0f} documents/s of {many['documents']:,}"),
        ("load", f"{one['load_seconds']:.2f} s; a new process is ready after {one['ready_seconds']:.2f} s"),
        ("memory, peak", f"{one['peak_memory_MB']} MB, the test texts included"),
        ("model", f"{figures['model']['MB']} MB on disk"),
        ("label graphs", f"{edges}, {graph['labels']:,} labels, {graph['documents']:,} documents"),
    ):
        print(f"{name:<24}{value}")


if __name__ == "__main__":
    main()
