"""Texts that lie on disk read like the list they were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eclare_py.data.dataset import Dataset, load_dataset
from eclare_py.storage import texts as module
from eclare_py.storage.spool import spooled
from eclare_py.storage.texts import TextCollector, TextStore, collect_texts, join_texts, pick_texts
from eclare_py.train.prepare import fingerprint

TEXTS = ["first", "", "naïve Ünïcode", "日本語 テキスト", "a\x00b\n", "half \ud800 a pair", "😀", "first"]
OTHERS = ["other", "später"]


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextStore:
    monkeypatch.setattr(module, "_PIECE", 8)  # several pieces
    monkeypatch.setattr(module, "_BLOCK", 3)
    with spooled(tmp_path if request.param == "disk" else None):
        return TextStore.of(iter(TEXTS))


def same(texts: Sequence[str], expected: list[str]) -> None:
    assert len(texts) == len(expected) and list(texts) == expected
    assert [texts[i] for i in range(-len(expected), len(expected))] == expected * 2
    with pytest.raises(IndexError):
        texts[len(expected)]


def test_a_store_reads_like_a_list(store: TextStore) -> None:
    same(store, TEXTS)
    assert "" in store and "absent" not in store and store.index("😀") == 6 and store.count("first") == 2


def test_slices_choices_and_joins_of_a_store_are_those_of_a_list(store: TextStore) -> None:
    rng = random.Random(0)
    texts: Sequence[str] = store
    expected = list(TEXTS)
    other = TextStore.of(OTHERS)
    for _ in range(60):
        kind = rng.choice(("slice", "pick", "same", "other"))
        if kind == "slice":
            chosen = slice(rng.randint(-9, 4), rng.choice([None, rng.randint(4, 12)]), rng.choice([None, 1, 2, -1]))
            found, wanted = texts[chosen], expected[chosen]
        elif kind == "pick":
            rows = [rng.randrange(len(expected)) for _ in range(5)]
            found, wanted = pick_texts(texts, np.array(rows)), [expected[row] for row in rows]
        else:
            found, wanted = join_texts(texts, store if kind == "same" else other), [
                *expected, *(TEXTS if kind == "same" else OTHERS)
            ]  # fmt: skip
        assert isinstance(found, TextStore)
        same(found, wanted)
        if 3 < len(wanted) < 40:
            texts, expected = found, wanted


def test_a_join_with_a_list_is_a_store_and_of_lists_a_list(store: TextStore) -> None:
    same(join_texts(OTHERS, store), [*OTHERS, *TEXTS])
    same(join_texts(store, OTHERS), [*TEXTS, *OTHERS])
    assert join_texts(OTHERS, TEXTS) == [*OTHERS, *TEXTS]
    assert pick_texts(TEXTS, np.array([2, 0])) == [TEXTS[2], TEXTS[0]]


def test_no_text_is_a_store_too(tmp_path: Path) -> None:
    with spooled(tmp_path):
        empty = TextCollector().finish()
    same(empty, [])
    same(join_texts(empty, ["one"]), ["one"])


def test_texts_are_collected_on_disk_only_inside_of_a_spool(tmp_path: Path) -> None:
    assert collect_texts(iter(OTHERS)) == OTHERS
    with spooled(tmp_path / "spool"):
        kept = collect_texts(iter(OTHERS))
        assert collect_texts(kept) is kept
    assert isinstance(kept, TextStore)
    same(kept, OTHERS)
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_store_cannot_be_written_to(store: TextStore) -> None:
    with pytest.raises(TypeError):
        store._parts[0].data[0] = 1


def test_a_folder_read_into_a_spool_is_the_same_data(tiny, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with spooled(tmp_path):
        found = load_dataset(tiny.data)
        train = found.train.with_ids("row")
    assert found.test is not None and isinstance(found.test.texts, TextStore)
    expected = tiny.folder.train.with_ids("row")
    for kept, wanted in ((train, expected), (train.split(0.3, seed=1)[1], expected.split(0.3, seed=1)[1])):
        assert isinstance(kept.texts, TextStore) and isinstance(kept.ids, TextStore | list)
        same(kept.texts, list(wanted.texts))
        assert list(kept.ids) == list(wanted.ids)
        assert fingerprint(kept) == fingerprint(wanted)
    both = train.followed_by(expected)
    same(both.texts, [*expected.texts] * 2)


def test_texts_given_inside_of_a_spool_lie_on_disk(tmp_path: Path) -> None:
    with spooled(tmp_path):
        made = Dataset.from_texts(["a text", "another"], [["x"], ["y"]])
        again = Dataset.from_matrix(made.texts, made.labels, made.label_texts)
    assert isinstance(made.texts, TextStore) and again.texts is made.texts
