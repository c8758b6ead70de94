"""The same seed gives the same model folder: in another process, with another hash seed and number of threads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eclare_py.persist import TIMES_FILE, fingerprint
from eclare_py.storage import verify_manifest
from tests.tiny import python

TRAIN = """
import json, sys
from pathlib import Path
import numba, torch
from eclare_py import EclareClassifier, load_dataset
from eclare_py.persist import fingerprint
data, out, methods = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
for name, (recipe, settings) in methods.items():
    classifier = EclareClassifier.from_recipe(recipe, device="cpu") if settings is None else (
        EclareClassifier(recipe, overrides=settings, device="cpu"))
    classifier.fit(load_dataset(data).train).save(out / name)
print(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
"""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
GATED = {
    "document.dim": 16, "elias.max_leaf": 12, "elias.beam": 3, "elias.extra_clusters": 2, "elias.slots": 20,
    "elias.shortlist": 40, "elias.batch_size": 64, "elias.warm_epochs": 1, "elias.fixed_epochs": 1,
    "elias.learned_epochs": 1, "elias.ranker": True, "elias.ranker_depth": 20,
}  # fmt: skip


def trained(tiny: Any, folder: Path, *, seed: str, threads: str) -> Path:
    methods = {
        "default": (str(tiny.recipe), None),
        "xr_linear": ("xr_linear", {"linear.max_leaf": 8, "linear.beam": 3, "linear.trees": 2}),
        "elias": ("elias", GATED),
    }
    folder.mkdir()
    done = python(
        "-c", TRAIN, str(tiny.data), str(folder), json.dumps(methods), cwd=folder,
        PYTHONHASHSEED=seed, **dict.fromkeys(THREADS, threads),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [threads, threads]
    return folder


@pytest.fixture(scope="module")
def first(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tiny, tmp_path_factory.mktemp("first") / "models", seed="0", threads="1")


def digests(model: Path) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in verify_manifest(model)["files"].items() if name != TIMES_FILE}


def test_another_process_hash_seed_and_number_of_threads_make_the_same_models(
    first: Path, tiny: Any, tmp_path: Path
) -> None:
    again = trained(tiny, tmp_path / "models", seed="1", threads="2")
    for name in ("default", "xr_linear", "elias"):
        assert digests(first / name) == digests(again / name), name
        assert fingerprint(first / name) == fingerprint(again / name)


def test_the_fingerprint_is_that_of_this_process_too_and_changes_with_the_seed(
    first: Path, tiny: Any, tmp_path: Path
) -> None:
    assert fingerprint(first / "default") == fingerprint(tiny.model)
    from eclare_py import EclareClassifier

    settings = {"linear.max_leaf": 8, "linear.beam": 3, "linear.trees": 2}
    train = tiny.folder.train
    EclareClassifier("xr_linear", overrides=settings).fit(train).save(tmp_path / "same")
    assert fingerprint(tmp_path / "same") == fingerprint(first / "xr_linear")
    EclareClassifier("xr_linear", overrides={**settings, "seed": 1}).fit(train).save(tmp_path / "other")
    assert fingerprint(tmp_path / "other") != fingerprint(first / "xr_linear")
