"""Mutated model and data folders: refused by the name of a file or answered, nothing else. The long run is a script."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from eclare_py import EclareClassifier
from eclare_py.errors import ModelError
from eclare_py.persist import load_pipeline
from tests.tiny import ROOT, python

SCRIPTS = ROOT / "experiments"
sys.path.insert(0, str(SCRIPTS))  # the scripts are no package

from fuzz import judge  # noqa: E402
from fuzz.flips import unseen_flips  # noqa: E402
from fuzz.forgery import MODEL  # noqa: E402
from fuzz.making import sparse_folder  # noqa: E402
from fuzz.sealing import reseal  # noqa: E402
from fuzz.texts import LF, XC  # noqa: E402

COUNT = 150


def test_mutated_folders_are_refused_by_name_or_answered(tiny: Any, tmp_path: Path) -> None:
    linear = {"linear.max_leaf": 8, "linear.beam": 3}
    EclareClassifier("xr_linear", overrides=linear).fit(tiny.folder.train).save(tmp_path / "xr_linear")
    done = python(
        str(SCRIPTS / "fuzz_folders.py"), "--count", str(COUNT), "--seed", "1", "--flips", "20",
        "--data", str(tiny.data), "--model", str(tiny.model), str(tmp_path / "xr_linear"), "--json", "figures.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["wrong"] == [] and set(figures["outcomes"]) == {"answered", "refused"}
    assert sum(figures["outcomes"].values()) == COUNT
    assert figures["outcomes"]["refused"] > COUNT / 2 and figures["outcomes"]["answered"] > 10


def test_every_flipped_bit_of_a_model_is_found(tiny: Any, tmp_path: Path) -> None:
    assert unseen_flips(tiny.model, 200, tmp_path) == []


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep() -> None:
    time.sleep(20)


def gorge() -> None:
    np.ones(1 << 30)


def escape() -> None:
    raise KeyError("x")


def refuse() -> None:
    raise ModelError("no")


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [(segfault, "signal"), (sleep, "hang"), (gorge, "memory"), (escape, "escaped"), (refuse, "refused"),
     (lambda: None, "answered")],
)  # fmt: skip
def test_the_judge_sees_every_kind_of_end(attempt: Any, outcome: str) -> None:
    verdict = judge(attempt, seconds=1)
    assert verdict.outcome == outcome
    assert verdict.fine == (outcome in ("answered", "refused"))


def contents(folder: Path) -> dict[str, Any]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else path.is_symlink() for name, path in files.items()}


@pytest.mark.parametrize("kind", ["model", "LF", "XC"])
def test_mutations_change_the_folder_and_are_the_same_for_a_seed(
    kind: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(1_000_000_000)
    monkeypatch.setattr(time, "time", lambda: next(seconds))  # a second later at each look: gzip may keep the time
    good = {"model": tiny.model, "LF": tiny.data}.get(kind) or sparse_folder(tiny.data, tmp_path / "sparse")
    mutations = {"model": MODEL, "LF": LF, "XC": XC}[kind]
    for number, mutation in enumerate(sorted(set(mutations), key=lambda one: one.__name__)):
        if mutation.__name__ == "bomb":
            continue
        copies = [Path(shutil.copytree(good, tmp_path / f"{number}-{turn}" / "copy")) for turn in range(2)]
        told = [mutation(copy, Random(number + 3)) for copy in copies]
        one, other = map(contents, copies)
        assert told[0] == told[1] and one == other, mutation.__name__
        assert one != contents(good), mutation.__name__


def test_a_resealed_folder_is_a_good_one(tiny: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny.model, tmp_path / "copy"))
    reseal(copy)
    assert load_pipeline(copy).n_labels == 90
