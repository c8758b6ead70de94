"""What does a training on millions of labels take? Time and memory, stage by stage, beside what `inspect` foretells.

    eclare data build synthetic --out build/3m --set labels=3000000 --set documents=2000000
    python experiments/large.py build/3m --set document.dim=64 --set training.surrogate_epochs=1 --json build/3m.json
    python experiments/large.py build/3m --set document.dim=64 --until linear       # graph, one epoch and index alone
    python experiments/large.py build/1m --answers 20000 --json build/1m.json       # and how good is it?

Trains as `eclare train` does, saves the model where `--out` is given, and scores the answers to some test documents
where `--answers` says how many. Memory is what the process holds (resident set), looked at ten times a second;
`anonymous` leaves out what is mapped from files, which the system takes back when memory is short. Past `--most`
gigabytes of that the run is stopped. The figures are written after every stage, so a run that is stopped has told what
it knows. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py import EclareClassifier, load_dataset
from eclare_py.data import DataFolder
from eclare_py.storage.spool import spooled

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line has it: threads sleep while they wait
MB = 1e6
_STATUS = re.compile(r"^(VmRSS|RssAnon):\s+(\d+) kB$", re.MULTILINE)
_ALSO = {"graph": "graph", "documents": "network"}  # parts of a stage that begin with a note of this name
_ANSWERS = "answers"  # after the training: no part of its time
# What `inspect` calls the stages; what is done again after the fusion counts where it was done first.
_STAGE_OF = {
    "load": "start", "prepare": "prepare", "surrogate": "network", "ranker": "network", "index": "index",
    "linear": "linear", "fusion": "fusion",
}  # fmt: skip


class StageMeter(threading.Thread):
    """Watches memory, and books time and memory on the stage under way."""

    def __init__(self, path: Path | None, most_gb: float) -> None:
        super().__init__(daemon=True)
        self.path, self.most = path, most_gb * 1e9
        self.stages: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}
        self.begin("load")

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            resident, anonymous = memory()
            stage = self.stages[-1]
            stage["peak_mb"] = max(stage["peak_mb"], round(resident / MB))
            stage["anonymous_peak_mb"] = max(stage["anonymous_peak_mb"], round(anonymous / MB))
            if anonymous > self.most:
                self.facts["stopped"] = f"{anonymous / 1e9:.1f} GB in stage {stage['stage']}"
                self.write()
                os._exit(1)
            time.sleep(0.1)

    def begin(self, name: str) -> None:
        """Close the stage under way and open another."""
        self.close()
        self.begun = time.perf_counter(), time.process_time()
        self.stages.append({"stage": name, "peak_mb": 0, "anonymous_peak_mb": 0})
        self.write()

    def close(self) -> None:
        """Book the stage under way."""
        if self.stages:
            seconds, cpu = time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]
            resident, anonymous = (round(part / MB) for part in memory())
            self.stages[-1] |= {
                "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1),
                "end_mb": resident, "anonymous_end_mb": anonymous,
            }  # fmt: skip
            print(self.stages[-1], flush=True)

    def figures(self) -> dict[str, Any]:
        """All that is known."""
        done = [stage for stage in self.stages if "seconds" in stage]
        training = [stage for stage in done if stage["stage"] != _ANSWERS]
        total = {name: round(sum(stage[name] for stage in training), 1) for name in ("seconds", "cpu_seconds")}
        peaks = {name: max(stage[name] for stage in self.stages) for name in ("peak_mb", "anonymous_peak_mb")}
        return {**self.facts, **total, **peaks, "stages": done}

    def write(self) -> None:
        """Put the figures where they are wanted."""
        if self.path is not None:
            self.path.write_text(json.dumps(self.figures(), indent=2) + "\n", encoding="utf-8")


class StopHere(Exception):
    """The stage that was not to be trained has begun."""


def main() -> None:
    """Train, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="of the recipe; may be repeated")
    parser.add_argument("--until", help="stop where this stage begins: index, linear, fusion, completion")
    parser.add_argument("--spool", type=Path, help="as in `eclare train`")
    parser.add_argument("--out", type=Path, help="save the model there")
    parser.add_argument("--answers", type=int, default=0, help="first test documents to answer and score")
    parser.add_argument("--most", type=float, default=21.5, help="gigabytes at which to stop")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--estimate-only", action="store_true", help="put a new estimate beside the figures in --json")
    options = parser.parse_args()
    if options.estimate_only:
        figures = json.loads(options.json.read_text(encoding="utf-8"))
    else:
        figures = measured(options)
    figures["estimate"] = estimate(options, figures)
    print(json.dumps(figures["estimate"], indent=2))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of a training."""
    meter = StageMeter(options.json, options.most)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    meter.facts |= {"recipe": options.recipe, "settings": options.settings, "machine": machine}
    meter.start()
    data = load_dataset(options.data)
    train = data.train
    meter.facts |= {"documents": train.n_documents, "labels": train.n_labels, "pairs": int(train.labels.nnz)}

    def listen(event: str, values: dict[str, Any]) -> None:
        if event == "stage":
            if values["name"] == options.until:
                raise StopHere
            meter.begin(values["name"])
        for note in set(values) & set(_ALSO) if event == "note" else ():
            meter.begin(_ALSO[note])
        if event == "validation":
            meter.facts["validation"] = values
        if event in ("note", "validation", "epoch"):
            print(event, values, flush=True)

    meter.begin("start")
    classifier = EclareClassifier.from_recipe(options.recipe, options.settings, device="cpu")
    with tempfile.TemporaryDirectory(dir=options.json.parent if options.json else None) as work:
        try:
            with spooled(options.spool):
                classifier.fit(data, folder=work, listener=listen)
        except StopHere:
            meter.facts["until"] = options.until
        else:
            if options.out is not None:
                meter.begin("save")
                classifier.save(options.out)
            if options.answers:
                meter.begin(_ANSWERS)
                meter.facts |= answered(classifier, data, options.answers)
    meter.close()
    meter.facts["load_average"] = [round(one, 1) for one in os.getloadavg()]
    meter.write()
    return meter.figures()


def answered(classifier: EclareClassifier, data: DataFolder, count: int) -> dict[str, Any]:
    """Quality of the first test documents' top 100, and documents answered in a second, raw texts in."""
    if data.test is None:
        raise SystemExit(f"{count} answers were asked for, but the data have no test split")
    test = data.test.subset(np.arange(min(count, data.test.n_documents)))
    classifier.predict(test.texts[:100], k=100)  # kernels are compiled
    begun = time.perf_counter()
    ranking = classifier.predict(test.texts, k=100)
    pace = test.n_documents / (time.perf_counter() - begun)
    metrics = classifier.evaluate(test, train=data.train, ranking=ranking).metrics
    return {"answers": test.n_documents, "documents_per_s": round(pace), "metrics": metrics}


def memory() -> tuple[int, int]:
    """Bytes that this process holds, and those of them that are not of files."""
    found = dict(_STATUS.findall(Path("/proc/self/status").read_text(encoding="ascii")))
    return int(found["VmRSS"]) * 1024, int(found["RssAnon"]) * 1024


def estimate(options: argparse.Namespace, figures: dict[str, Any]) -> dict[str, Any]:
    """What `eclare inspect --estimate` says, and its share of what was measured, over the stages that were."""
    words = [sys.executable, "-m", "eclare_py.cli", "inspect", str(options.data), "--estimate", "--json"]
    words += ["--recipe", options.recipe, *(word for one in options.settings for word in ("--set", one))]
    tables = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    (said,) = (values for title, values in tables.items() if title.startswith("Training"))
    done = {_STAGE_OF[stage["stage"]] for stage in figures["stages"] if stage["stage"] in _STAGE_OF}
    foretold = {stage: text for stage, text in tables["Stage by stage"].items() if stage in done}
    memory_mb = max(number(text) for text in foretold.values() if " MB" in text)
    seconds = sum(number(text.split(" MB, ")[-1]) for text in foretold.values())
    return {
        **said,
        "stages": tables["Stage by stage"],
        "memory, of measured": round(memory_mb / figures["peak_mb"], 2),
        "processor time, of measured": round(seconds / figures["cpu_seconds"], 2),
    }


def number(text: str) -> float:
    """The number that a text begins with."""
    return float(text.split()[0].replace(",", ""))


if __name__ == "__main__":
    main()
