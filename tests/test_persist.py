from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from eclare_py.config import to_mapping
from eclare_py.errors import ModelError, UsageError
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.pipeline import Pipeline
from eclare_py.storage import State, atomic_folder, part_sizes, read_state, write_state
from eclare_py.train.fit import train
from eclare_py.train.recipe import PlentyConfig, load_recipe
from eclare_py.types import as_csr
from tests.tiny import python

ANSWER = """
import hashlib, sys
from eclare_py.persist import load_pipeline
pipeline = load_pipeline(sys.argv[1])
ranking = pipeline.rank(open(sys.argv[2], encoding="utf-8").read().splitlines(), 7)
heavy = [name for name in ("torch", "torch_geometric", "transformers", "sklearn") if name in sys.modules]
print(hashlib.sha256(ranking.indices.tobytes() + ranking.scores.tobytes()).hexdigest(), heavy)
"""


def copy_of(tiny: Any, folder: Path) -> Path:
    return Path(shutil.copytree(tiny.model, folder / "model"))


def reseal(folder: Path, change: Callable[[Path], None]) -> Path:
    """Change files of a model and write a fitting manifest: what a hostile author can do."""
    with atomic_folder(folder, kind="model") as partial:
        for file in folder.iterdir():
            if file.name != "manifest.json":
                shutil.copy(file, partial / file.name)
        change(partial)
    return folder


def with_arrays(part: str, **arrays: Any) -> Callable[[Path], None]:
    """Replace arrays of a part; a function is applied to the old one, None removes it."""

    def change(folder: Path) -> None:
        state = read_state(folder, part)
        found = dict(state.arrays)
        for name, value in arrays.items():
            name = name.replace("__", ".")
            if value is None:
                del found[name]
            else:
                found[name] = np.ascontiguousarray(value(found[name]) if callable(value) else value)
        write_state(folder, part, State(found, state.meta))

    return change


def with_meta(part: str, **meta: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        state = read_state(folder, part)
        write_state(folder, part, State(state.arrays, {**state.meta, **meta}))

    return change


def with_json(name: str, edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        value = json.loads((folder / f"{name}.json").read_text())
        edited = edit(value)
        (folder / f"{name}.json").write_text(json.dumps(value if edited is None else edited))

    return change


def with_nan(folder: Path) -> None:
    state = read_state(folder, "scorer")
    scale = state.arrays["vectors_scale"].copy()
    scale[4] = np.nan
    save_file({**state.arrays, "vectors_scale": scale}, folder / "scorer.safetensors")


def cut_scales(scales: Any) -> Any:
    """Without the last two terms that have a vector, and those after them."""
    return scales[: np.flatnonzero(scales)[-2]]


WRONG = {
    "fewer label vectors": (with_arrays("scorer", vectors=lambda a: a[:-1]), "vectors"),
    "label vectors of another length": (with_arrays("scorer", vectors=lambda a: a[:, :-1]), "vectors"),
    "label vectors of another type": (with_arrays("scorer", vectors=lambda a: a.astype(np.float64)), "float64"),
    "no label vectors": (with_arrays("scorer", vectors=None), "vectors is missing"),
    "label vectors with NaN": (with_nan, "nan"),
    "fewer biases": (with_arrays("scorer", bias=lambda a: a[:-1]), "bias"),
    "held-out outcomes of another length": (with_arrays("held_out", relevant=lambda a: a[:-1]), "differ in length"),
    "held-out outcomes of another type": (
        with_arrays("held_out", relevant=lambda a: a.astype(np.int8)),
        "rows of their types",
    ),
    "no held-out logits": (with_arrays("held_out", logits=None), "rows of their types"),
    "held-out pointers beyond the end": (with_arrays("held_out", indptr=lambda a: a + 1), "indptr does not fit"),
    "held-out pointers that decrease": (
        with_arrays("held_out", indptr=lambda a: np.concatenate([a[:1], a[2:0:-1], a[3:]])),
        "indptr does not fit",
    ),
    "held-out frequency above all documents": (
        with_arrays("held_out", frequencies=lambda a: a + 10**6),
        "frequencies must be",
    ),
    "held-out scores of no documents": (with_meta("held_out", n_documents=0), "n_documents is 0"),
    "negative frequency": (with_arrays("profile", frequencies=lambda a: a - 1000), "frequencies"),
    "frequency above all documents": (with_arrays("profile", frequencies=lambda a: a + 1000), "frequencies"),
    "fewer centroids": (with_arrays("profile", centroids=lambda a: a[:-1]), "centroids"),
    "terms beyond the vocabulary": (  # gaps: the last byte of each is below 128
        with_arrays("profile", **{"terms.indices": lambda a: np.where(a < 128, 127, a).astype(np.uint8)}),
        "terms.* outside",
    ),
    "terms out of order": (
        with_arrays("profile", **{"terms.indices": lambda a: np.arange((a < 128).sum())[::-1].copy()}),
        "not sorted",
    ),
    "negative support": (with_arrays("support", **{"support.data": lambda a: -a}), "above 0"),
    "no terms of the labels": (with_arrays("profile", **{"terms.indptr": None}), "terms"),
    "beam of nothing": (with_meta("scorer", beam=0), "beam is 0"),
    "beam a truth value": (with_meta("scorer", beam=True), "beam is True"),
    "fewer terms in the encoder": (
        with_arrays("encoder", table=lambda a: a[:-2], table_scale=cut_scales),
        "terms",
    ),
    "no terms in the encoder": (with_arrays("encoder", table=lambda a: a[:0], table_scale=lambda a: a[:0]), "terms"),
    "encoder of another length": (with_arrays("encoder", bias=lambda a: a[:-1]), "weight"),
    "encoder of another width": (with_arrays("encoder", table=lambda a: a[:, :-1]), "table"),
    "fewer scales of the terms": (with_arrays("encoder", table_scale=lambda a: a[:-1]), "table"),
    "scales below zero": (with_arrays("profile", centroids_scale=lambda a: -a), "centroids_scale"),
    "linear ranker over more terms": (with_meta("linear", features=10**6), "linear"),
    "encoder bias a matrix": (with_arrays("encoder", bias=lambda a: a[:, None]), "bias"),
    "tree routers of another length": (with_arrays("tree", routers=lambda a: a[:, :-1]), "tree"),
    "tree order repeats a label": (with_arrays("tree", label_order=lambda a: np.where(a == 1, 0, a)), "tree"),
    "graph of other labels": (with_arrays("graph", adjacency__shape=np.array([3, 3])), "graph"),
    "graph reaches outside": (with_arrays("graph", adjacency__indices=lambda a: a + 900), "outside"),
    "support reaches outside": (with_arrays("support", support__indices=lambda a: a + 900), "outside"),
    "support of other labels": (with_arrays("support", support__shape=np.array([90, 91])), "support"),
    "fusion of another width": (with_arrays("first", mean=lambda a: a[:-1], scale=lambda a: a[:-1]), "fusion"),
    "fusion of other columns": (with_meta("final", columns=["a"] * 12), "columns|fit"),
    "example of an unknown label": (with_arrays("documents", pairs=lambda a: a + [500, 0]), "pairs"),
    "unknown example": (with_arrays("documents", pairs=lambda a: a + [0, 5000]), "pairs"),
    "examples out of order": (with_arrays("documents", pairs=lambda a: a[::-1]), "sorted"),
    "examples without names": (with_meta("documents", names=[]), "vectors"),
    "fewer free vectors": (
        lambda folder: with_arrays("network", **{"label_encoder__free__weight": lambda a: a[:-1]})(folder),
        "free.weight",
    ),
    "clusters without a shared vector": (
        with_arrays(
            "network",
            label_encoder__shared__weight=np.zeros((5, 16), dtype=np.float32),
            label_encoder__clusters=np.arange(90) % 6,
        ),
        "clusters lie outside the 5 shared vectors",
    ),
    "shared vectors without clusters": (
        with_arrays("network", label_encoder__shared__weight=np.zeros((5, 16), dtype=np.float32)),
        "clusters is missing",
    ),
    "no label bias": (with_arrays("network", label_encoder__bias=None), "bias is missing"),
    "fewer label texts": (with_json("labels", lambda v: v["texts"].pop() and None), "labels|vectors"),
    "label text a number": (with_json("labels", lambda v: v["texts"].__setitem__(0, 3)), "labels.json: texts"),
    "label ids too few": (with_json("labels", lambda v: v.update(ids=["a"])), "labels.json: ids"),
    "labels a list": (with_json("labels", lambda v: [1]), "labels.json holds a list"),
    "fusion of doubles": (with_arrays("first", weight2=lambda a: a.astype(np.float64)), "arrays of .*float64"),
    "fusion columns a number": (with_meta("final", columns=2), "columns must be a list"),
    "scales beyond all numbers": (with_arrays("scorer", vectors_scale=lambda a: a + np.float32(1e37)), "vectors_scale"),
    "recipe without an index": (with_json("recipe", lambda v: v.pop("index") and None), "index.branching"),
    "index without branches": (with_json("recipe", lambda v: v["index"].update(branching=1)), "index.branching"),
    "kind of documents a list": (with_json("recipe", lambda v: v["document"].update(kind=[])), "document.kind"),
    "facts beyond all numbers": (lambda folder: (folder / "facts.json").write_text('{"a": 1e999}'), "largest number"),
    "recipe with an unknown key": (with_json("recipe", lambda v: v["rank"].update(colour=1)), "rank|colour"),
    "facts cut off": (lambda folder: (folder / "facts.json").write_text('{"a": '), "facts.json"),
}


def test_a_loaded_model_answers_bit_by_bit_the_same(tiny: Any) -> None:
    ours, loaded = tiny.classifier.pipeline, load_pipeline(tiny.model)
    texts = [*tiny.folder.test.texts, "", "words nobody knows"]
    pairs = tiny.folder.test.filter_pairs
    for k, hidden in ((1, None), (7, pairs), (200, None)):
        one, other = ours.rank(texts, k, hidden=hidden), loaded.rank(texts, k, hidden=hidden)
        assert np.array_equal(one.indices, other.indices)
        assert one.scores.tobytes() == other.scores.tobytes()
    assert np.array_equal(ours.encode(texts).vectors, loaded.encode(texts).vectors)
    assert (ours.recipe, ours.facts, ours.labels) == (loaded.recipe, loaded.facts, loaded.labels)
    assert ours.documents.names == loaded.documents.names
    assert sorted(ours.network) == sorted(loaded.network)
    assert all(np.array_equal(ours.network[name], loaded.network[name]) for name in ours.network)


def test_another_process_elsewhere_answers_the_same_without_torch(tiny: Any, tmp_path: Path) -> None:
    model = copy_of(tiny, tmp_path)
    for path in (*model.iterdir(), model):
        path.chmod(path.stat().st_mode & ~0o222)
    before = {path.name: path.stat().st_mtime_ns for path in model.iterdir()}
    (tmp_path / "texts").write_text("\n".join(tiny.folder.test.texts), encoding="utf-8")
    expected = tiny.classifier.pipeline.rank(tiny.folder.test.texts, 7)
    digest = hashlib.sha256(expected.indices.tobytes() + expected.scores.tobytes()).hexdigest()
    (tmp_path / "elsewhere").mkdir()
    done = python("-c", ANSWER, "../model", str(tmp_path / "texts"), cwd=tmp_path / "elsewhere", PYTHONHASHSEED="1")
    model.chmod(0o755)
    assert done.stdout == f"{digest} []\n", done.stderr
    assert {path.name: path.stat().st_mtime_ns for path in model.iterdir()} == before


def test_a_model_saved_again_is_the_same_file_by_file(tiny: Any, tmp_path: Path) -> None:
    save_pipeline(load_pipeline(tiny.model), tmp_path / "again")
    names = sorted(path.name for path in tiny.model.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all((tmp_path / "again" / name).read_bytes() == (tiny.model / name).read_bytes() for name in names)


def test_every_file_is_guarded(tiny: Any, tmp_path: Path) -> None:
    model = copy_of(tiny, tmp_path)
    for file in sorted(model.iterdir()):
        good = file.read_bytes()
        middle = len(good) // 2
        flipped = good[:middle] + bytes([good[middle] ^ 16]) + good[middle + 1 :]
        for bad in (good[:-1], good + b" ", flipped, None):
            file.unlink() if bad is None else file.write_bytes(bad)
            with pytest.raises(ModelError, match=file.name):
                load_pipeline(model)
        file.write_bytes(good)
    assert load_pipeline(model).n_labels == 90


@pytest.mark.parametrize("name", WRONG)
def test_parts_that_do_not_belong_together_are_refused(name: str, tiny: Any, tmp_path: Path) -> None:
    change, message = WRONG[name]
    model = reseal(copy_of(tiny, tmp_path), change)
    with pytest.raises(ModelError, match=message) as caught:
        load_pipeline(model)
    assert re.search(rf"{model}/\w+\.", str(caught.value))  # the file is named


def test_the_untouched_copy_loads(tiny: Any, tmp_path: Path) -> None:
    assert load_pipeline(reseal(copy_of(tiny, tmp_path), lambda folder: None)).n_labels == 90


@pytest.mark.parametrize("name", ["model.pkl", "model.pt", "vectors.npy", "sub/recipe.yaml"])
def test_files_that_do_not_belong_are_refused_unread(name: str, tiny: Any, tmp_path: Path) -> None:
    model, canary = copy_of(tiny, tmp_path), tmp_path / "canary"
    (model / name).parent.mkdir(exist_ok=True)
    code = f"(lambda: open({str(canary)!r}, 'w'))()"
    (model / name).write_bytes(b"cbuiltins\neval\n(S" + repr(code).encode() + b"\ntR.")
    with pytest.raises(ModelError, match="not part of the saved model"):
        load_pipeline(model)
    assert not canary.exists()


def test_held_out_scores_come_back_and_may_be_absent(tiny: Any, tmp_path: Path) -> None:
    pipeline = tiny.classifier.pipeline
    ours, loaded = pipeline.held_out, load_pipeline(tiny.model).held_out
    for name in ("indptr", "logits", "relevant", "frequencies"):
        one, other = getattr(ours, name), getattr(loaded, name)
        assert one.dtype == other.dtype and np.array_equal(one, other)
    assert ours.n_documents == loaded.n_documents == tiny.folder.train.n_documents - (len(ours.indptr) - 1)
    save_pipeline(dataclasses.replace(pipeline, held_out=None), tmp_path / "older")
    older = load_pipeline(tmp_path / "older")
    assert older.held_out is None and not list((tmp_path / "older").glob("held_out*"))
    assert np.array_equal(older.rank(["some words"], 5).scores, pipeline.rank(["some words"], 5).scores)


@pytest.fixture(scope="module")
def voting(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Path]:
    """The tiny model with train documents that vote, in memory and on disk."""
    recipe = load_recipe(tiny.recipe, ["rank.neighbours=8", "rank.neighbour_probe=4"])
    pipeline = train(tiny.folder.train, recipe, device="cpu")
    assert isinstance(pipeline, Pipeline)
    folder = tmp_path_factory.mktemp("voting") / "model"
    save_pipeline(pipeline, folder)
    return pipeline, folder


def test_a_model_with_votes_answers_bit_by_bit_the_same(tiny: Any, voting: tuple[Pipeline, Path]) -> None:
    pipeline, folder = voting
    loaded = load_pipeline(folder)
    texts, pairs = [*tiny.folder.test.texts, ""], tiny.folder.test.filter_pairs
    one, other = pipeline.rank(texts, 7, hidden=pairs), loaded.rank(texts, 7, hidden=pairs)
    assert np.array_equal(one.indices, other.indices) and one.scores.tobytes() == other.scores.tobytes()
    assert len(pipeline.ranker.neighbours) == tiny.folder.train.n_documents  # type: ignore[arg-type]
    assert "neighbours" in part_sizes(folder) and "votes" in pipeline.ranker.first_columns


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_arrays("neighbours", vectors=lambda a: a[:, :-1]), "neighbours"),
        (with_arrays("neighbours", vectors_scale=lambda a: a[:-1]), "neighbours"),
        (with_arrays("neighbours", labels=lambda a: a + 90), "outside"),
        (lambda folder: write_state(folder, "neighbours", smaller_store().state()), "12 documents vote"),
    ],
)
def test_votes_that_do_not_belong_are_refused(
    change: Callable[[Path], None], message: str, voting: tuple[Pipeline, Path], tmp_path: Path
) -> None:
    model = Path(shutil.copytree(voting[1], tmp_path / "model"))
    with pytest.raises(ModelError, match=message):
        load_pipeline(reseal(model, change))


def smaller_store() -> Neighbours:
    """Twelve documents of the tiny model's dimension, each with a label of its own."""
    vectors = np.eye(12, 16, dtype=np.float32)
    return Neighbours.of(vectors, as_csr(np.eye(12, 90, dtype=np.float32)), seed=0)


@pytest.mark.parametrize("more", [0, 1])
def test_a_model_says_which_settings_it_has(more: int, tiny: Any, tmp_path: Path) -> None:
    """Those for plenty documents are part of its recipe where there were so many, and are kept for others if not."""
    enough, settings = tiny.folder.train.n_documents + more, {"rank": {"neighbours": 8}}
    plenty = {"documents": enough, "per_label": 0.0, "settings": settings}
    recipe = load_recipe(tiny.recipe, [f"plenty={json.dumps(plenty)}"])
    pipeline = train(tiny.folder.train, recipe, device="cpu")
    assert isinstance(pipeline, Pipeline) and ("votes" in pipeline.ranker.first_columns) == (not more)
    save_pipeline(pipeline, tmp_path / "model")
    loaded = load_pipeline(tmp_path / "model")
    assert ("neighbours" in part_sizes(tmp_path / "model")) == (not more)
    assert loaded.recipe["rank"]["neighbours"] == (0 if more else 8)
    assert loaded.recipe["plenty"] == (plenty if more else to_mapping(PlentyConfig()))
    one, other = (model.rank(tiny.folder.test.texts, 7) for model in (pipeline, loaded))
    assert np.array_equal(one.indices, other.indices) and one.scores.tobytes() == other.scores.tobytes()


def test_a_model_from_before_documents_voted_loads(tiny: Any, tmp_path: Path) -> None:
    """Its recipe has no key of the neighbours, its folder no file of them."""
    recipe = tiny.classifier.pipeline.recipe
    older = {key: value for key, value in recipe["rank"].items() if not key.startswith("neighbour")}
    assert older.keys() < recipe["rank"].keys()
    save_pipeline(
        dataclasses.replace(tiny.classifier.pipeline, recipe={**recipe, "rank": older}), tmp_path / "older"
    )
    loaded = load_pipeline(tmp_path / "older")
    assert isinstance(loaded, Pipeline) and loaded.ranker.neighbours is None
    assert not list((tmp_path / "older").glob("neighbours*"))
    ranked = tiny.classifier.pipeline.rank(tiny.folder.test.texts, 5)
    assert np.array_equal(loaded.rank(tiny.folder.test.texts, 5).scores, ranked.scores)


def test_only_a_model_is_replaced(tiny: Any, tmp_path: Path) -> None:
    pipeline = tiny.classifier.pipeline
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match="not replaced"):
        save_pipeline(pipeline, mine)
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]
    save_pipeline(pipeline, tmp_path / "model")
    renamed = dataclasses.replace(pipeline, recipe={**pipeline.recipe, "name": "second"})
    save_pipeline(renamed, tmp_path / "model")
    assert load_pipeline(tmp_path / "model").recipe["name"] == "second"


def test_a_model_that_cannot_be_saved_leaves_the_old_one(tiny: Any, tmp_path: Path) -> None:
    model = copy_of(tiny, tmp_path)
    scorer = tiny.classifier.pipeline.ranker.scorer
    bad = dataclasses.replace(scorer, vectors=np.full_like(scorer.vectors, np.nan))
    ranker = dataclasses.replace(tiny.classifier.pipeline.ranker, scorer=bad)
    with pytest.raises(ModelError, match="vectors: row 0 holds NaN"):
        save_pipeline(dataclasses.replace(tiny.classifier.pipeline, ranker=ranker), model)
    assert load_pipeline(model).n_labels == 90
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_sizes_cover_the_folder(tiny: Any) -> None:
    sizes = part_sizes(tiny.model)
    files = [path for path in tiny.model.iterdir() if path.name != "manifest.json"]
    assert sum(sizes.values()) == sum(path.stat().st_size for path in files)
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    assert {"encoder", "scorer", "tree", "network"} <= set(sizes)
