"""The work that is killed: what it does, what it writes, and how that is read."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runner import Experiment, Results, Variant
from runner import main as run_experiments

from eclare_py import EclareClassifier, load_dataset
from eclare_py.cli import main, ranking_file
from eclare_py.errors import EclareError
from eclare_py.persist import fingerprint
from eclare_py.storage import atomic_file

RECIPE = """\
name: tiny
document: {dim: 8}
graph: {walk_length: 20}
index: {exact_below: 30, beam: 6, beam_share: 1.0}
linear: {max_leaf: 8, beam: 3}
rank: {steps: 20, fusion_batch: 128, hidden: 4, shortlist: 20, linear_candidates: 8, graph_candidates: 6, seeds: 3}
training: {surrogate_epochs: 2, ranker_epochs: 1, batch_size: 64, mined: 8, hard_negatives: 2, checkpoint_seconds: 0}
"""
_SIZES = ("--set", "labels=50", "--set", "documents=240")


@dataclass(frozen=True)
class Verb:
    """Work on an output.

    Attributes:
        name: What it is called.
        output: Name of what it writes, below the folder that it is given.
        run: The work, in that folder; gives the exit code.
        load: Reads the output as a user does; an error where it is not there or not whole.
        digest: Checksum of an output that is there.
        old: An earlier output, of other content.
    """

    name: str
    output: str
    run: Callable[[Path], int]
    load: Callable[[Path], object]
    digest: Callable[[Path], str]
    old: Path

    def put_old(self, folder: Path) -> None:
        """Place the earlier output."""
        copy = shutil.copytree if self.old.is_dir() else shutil.copyfile
        copy(self.old, folder / self.output)


def make_verbs(root: Path) -> dict[str, Verb]:
    """All verbs, with what they read and earlier outputs made below `root`; the trainings warm all kernels up."""
    (root / "tiny.yaml").write_text(RECIPE)
    for number, name in enumerate(("data", "old-data")):
        _need(_command("data", "build", "synthetic", "--out", root / name, *_SIZES, "--set", f"seed={number}"))
        _need(_train(root, root / ("model", "old-model")[number], f"seed={number}"))
    test = load_dataset(root / "data").test
    assert test is not None
    (root / "texts").write_text("\n".join(test.texts * 8))
    for number, name in enumerate(("table.jsonl", "old-table.jsonl")):
        rows = ({"text": text, "labels": [f"label {row % (7 + number)}"]} for row, text in enumerate(test.texts))
        (root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    _need(_command("data", "import", root / "old-table.jsonl", "--out", root / "old-import"))
    (root / "old-lines").write_text('{"labels": []}\n')
    (root / "old.json").write_text('{"rows": []}')
    (root / "old-matrix").write_bytes(b"the scores of yesterday")
    classifier = EclareClassifier.load(root / "model")
    predict = partial(_predict, root)
    verbs = (
        Verb("build", "data", lambda at: _command("data", "build", "synthetic", "--out", at / "data", *_SIZES),
             load_dataset, _digest_of_folder, root / "old-data"),
        Verb("import", "data", lambda at: _command("data", "import", root / "table.jsonl", "--out", at / "data"),
             load_dataset, _digest_of_folder, root / "old-import"),
        Verb("train", "model", lambda at: _train(root, at / "model"),
             EclareClassifier.load, fingerprint, root / "old-model"),
        Verb("finetune", "model", lambda at: _finetune(root, at / "model"),
             EclareClassifier.load, fingerprint, root / "old-model"),
        Verb("save", "model", lambda at: _save(classifier, at / "model"),
             EclareClassifier.load, fingerprint, root / "old-model"),
        Verb("predict", "out", lambda at: predict(at / "out", "jsonl"), _read, _digest_of_file, root / "old-lines"),
        Verb("predict-npz", "out", lambda at: predict(at / "out", "npz"), _read, _digest_of_file, root / "old-matrix"),
        Verb("experiment", "toy.json", lambda at: _experiment(root, at), _read, _digest_of_metrics, root / "old.json"),
    )  # fmt: skip
    return {verb.name: verb for verb in verbs}


def _command(*words: object) -> int:
    """`eclare` with some words; its exit code."""
    sys.argv = ["eclare", *map(str, words)]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _need(code: int) -> None:
    if code:
        raise SystemExit(code)


def _train(root: Path, out: Path, setting: str = "seed=0") -> int:
    return _command(
        "train", root / "tiny.yaml", "--data", root / "data", "--out", out, "--device", "cpu", "--set", setting
    )


def _finetune(root: Path, out: Path) -> int:
    data = root / "data"
    return _command(
        "finetune", root / "model", "--data", data, "--replay", data, "--out", out, "--device", "cpu"
    )


def _save(classifier: EclareClassifier, path: Path) -> int:
    try:
        classifier.save(path)
    except EclareError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _predict(root: Path, out: Path, kind: str) -> int:
    ranking_file.CHUNK, ranking_file.SECONDS = 32, 0.0  # many chunks, each made safe
    return _command(
        "predict", root / "model", "--input", root / "texts", "--output", out, "--format", kind, "--top-k", 3
    )


def _draw(results: Results, path: Path) -> None:
    with atomic_file(path) as handle:
        handle.write("<svg/>")


_TOY = Experiment(
    name="toy", question="?", base="whole", shown=("P@1", "R@10"), draw=_draw,
    variants=(Variant("whole"), Variant("no graph features", ("rank.graph_features=false",))),
)  # fmt: skip


def _experiment(root: Path, at: Path) -> int:
    """Two cells of one network."""
    places = {"data": root / "data", "recipe": root / "tiny.yaml", "out": at / "out", "results": at}
    words = [word for name, path in places.items() for word in (f"--{name}", str(path))]
    try:
        run_experiments(_TOY, words=[*words, "--seeds", "0", "--device", "cpu"])
    except SystemExit as end:
        print(end.code, file=sys.stderr)
        return 1
    return 0


def _digest_of_metrics(path: Path) -> str:
    """Of what does not depend on time."""
    rows = json.loads(path.read_text())["rows"]
    kept = [{name: row["metrics"][name] for name in ("P@1", "PSP@5", "R@10")} for row in rows]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EclareError(str(error)) from error


def _digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)} {_digest_of_file(path)}\n".encode())
    return digest.hexdigest()
