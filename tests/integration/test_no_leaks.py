"""Nothing of the test split, and nothing of the held-out part but what it is for, reaches a model."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py import Dataset, EclareClassifier, load_dataset
from eclare_py.data.importing import import_table
from eclare_py.persist import fingerprint
from eclare_py.storage import read_state
from eclare_py.train.prepare import held_out_size
from eclare_py.types import as_csr
from tests.integration.command import eclare
from tests.integration.test_determinism import GATED

TOKEN = "zyxxyquux"  # stands in no text of the tiny data set
OTHER_METHODS = {"xr_linear": {"linear.max_leaf": 8, "linear.beam": 3}, "elias": GATED}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def pack(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def permuted(folder: Path) -> None:
    rows = rows_of(folder / "tst.json.gz")
    random.Random(0).shuffle(rows)
    pack(folder / "tst.json.gz", rows)


def halved(folder: Path) -> None:
    pack(folder / "tst.json.gz", rows_of(folder / "tst.json.gz")[1::2])


def rewritten(folder: Path) -> None:
    """Other texts with a word of their own, and other labels."""
    rows = rows_of(folder / "tst.json.gz")
    pack(folder / "tst.json.gz", [{"title": f"{TOKEN} {row}", "target_ind": [row % 3]} for row in range(len(rows))])


def removed(folder: Path) -> None:
    for name in ("tst.json.gz", "filter_labels_test.txt"):
        (folder / name).unlink()


@pytest.fixture(scope="module")
def originals(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Fingerprint of each method, trained on the data as they are."""
    root, found = tmp_path_factory.mktemp("originals"), {}
    for method, settings in OTHER_METHODS.items():
        EclareClassifier(method, overrides=settings, device="cpu").fit(tiny.folder).save(root / method)
        found[method] = fingerprint(root / method)
    return found | {"default": fingerprint(tiny.model)}


@pytest.mark.parametrize("method", ["default", "xr_linear", "elias"])
@pytest.mark.parametrize("change", [permuted, halved, rewritten, removed])
def test_the_test_split_leaves_no_trace_in_the_model(
    method: str, change: Callable[[Path], None], originals: dict[str, str], tiny: Any, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "data"))
    change(data)
    classifier = (
        EclareClassifier.from_recipe(tiny.recipe, device="cpu")
        if method == "default"
        else EclareClassifier(method, overrides=OTHER_METHODS[method], device="cpu")
    )
    classifier.fit(load_dataset(data)).save(tmp_path / "model")
    assert fingerprint(tmp_path / "model") == originals[method]


def test_a_word_of_the_test_texts_is_in_no_file_that_training_writes(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "data"))
    rewritten(data)
    train = rows_of(data / "trn.json.gz")
    for row in train[:40]:  # for comparison, a word that training may see
        row["title"] += " qwertzuiop"
    pack(data / "trn.json.gz", train)
    assert TOKEN in gzip.decompress((data / "tst.json.gz").read_bytes()).decode()
    eclare("train", "xr_linear", "--data", data, "--out", tmp_path / "out" / "model", "--set", "linear.max_leaf=8")
    written = b"".join(path.read_bytes() for path in sorted((tmp_path / "out").rglob("*")) if path.is_file())
    assert b"qwertzuiop" in written and b"events" in written
    assert TOKEN.encode() not in written


def without_held_out(train: Dataset, rows: np.ndarray) -> Dataset:
    """The held-out documents with other texts, which share a word, and the labels of each other."""
    texts = list(train.texts)
    for row in rows.tolist():
        texts[row] = f"{TOKEN} {row} {TOKEN}x"
    order = np.arange(len(texts))
    order[rows] = np.roll(rows, 1)
    return dataclasses.replace(train, texts=texts, labels=as_csr(train.labels[order]), filter_pairs=train.filter_pairs)


def test_held_out_documents_fit_the_fusion_and_nothing_before_it(tiny: Any, tmp_path: Path) -> None:
    once = ["training.surrogate_epochs=1", "training.ranker_epochs=1"]  # no epoch is chosen by them
    train = dataclasses.replace(tiny.folder.train, ids=[str(row) for row in range(tiny.folder.train.n_documents)])
    recipe = EclareClassifier.from_recipe(tiny.recipe, once).settings()
    held_out = train.split(held_out_size(train.n_documents, recipe), seed=recipe.seed)[1]
    rows = np.array(held_out.ids, dtype=np.int64)
    for name, data in (("one", train), ("other", without_held_out(train, rows))):
        EclareClassifier.from_recipe(tiny.recipe, once, device="cpu").fit(data).save(tmp_path / name)

    def same(part: str) -> bool:
        one, other = (read_state(tmp_path / name, part) for name in ("one", "other"))
        equal = one.arrays.keys() == other.arrays.keys() and one.meta == other.meta
        return equal and all(np.array_equal(array, other.arrays[key]) for key, array in one.arrays.items())

    before = ("features", "graph", "encoder", "scorer", "tree", "network", "documents")
    assert {part: same(part) for part in before} == dict.fromkeys(before, True)
    assert not same("first") and not same("final") and not same("held_out")  # what they are for
    files = [path.read_bytes() for path in (tmp_path / "other").iterdir()]
    assert not any(TOKEN.encode() in content for content in files)


def write_table(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("text,labels\n" + "".join(f"{text},{labels}\n" for text, labels in rows), encoding="utf-8")
    return path


def test_imported_test_tables_leave_train_and_labels_alone(tmp_path: Path) -> None:
    train = write_table(tmp_path / "train.csv", [(f"text number {i}", f"l{i % 7};m{i % 3}") for i in range(60)])
    test = [(f"asked {i}", f"l{i % 7}") for i in range(20)]
    changed = {
        "permuted": test[::-1], "fewer": test[::3], "rewritten": [(f"{TOKEN} {i}", "l0;m1") for i in range(9)],
    }  # fmt: skip
    import_table(train, tmp_path / "as-is", test=write_table(tmp_path / "test.csv", test))
    for name, rows in changed.items():
        import_table(train, tmp_path / name, test=write_table(tmp_path / f"{name}.csv", rows))
        for file in ("trn.json.gz", "lbl.json.gz"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "as-is" / file).read_bytes(), (name, file)
        assert (tmp_path / name / "tst.json.gz").read_bytes() != (tmp_path / "as-is" / "tst.json.gz").read_bytes()
