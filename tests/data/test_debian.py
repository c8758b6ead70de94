"""debian-related: its rules on a tiny list, the written folder, and the small subset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from eclare_py.data import load_dataset
from eclare_py.data.apt import AptIndexError, Package
from eclare_py.data.debian import DebianSettings, build_debian, is_test, relate, small_subset

LIST = "example.org_debian_dists_stable_main_binary-amd64_Packages"
STANZAS = """\
Package: tool
Depends: libx (>= 2)
Description: a tool

Package: player
Depends: libx:any (>= 2), font-a | font-b, virtual-thing | mail-agent
Suggests: player-data, player
Pre-Depends: libx-doc
Description: plays

Package: player
Depends: tool
Description: plays, version two

Package: player-data
Depends: player (= 1), libx, tool
Description: data of it

Package: libx
Enhances: player
Description: library

Package: libx-doc
Description: manual

Package: font-a
Recommends: libx-doc
Description: letters

Package: font-b
Suggests: tool
Description: more letters

Package: editor
Depends: virtual-thing
Description: edits
"""


def build_from(folder: Path, **settings: object) -> Path:
    lists, out = folder / "lists", folder / "out"
    lists.mkdir()
    (lists / LIST).write_text(STANZAS)
    build_debian(out, DebianSettings(lists=str(lists), **settings))
    return out


def crowd(size: int) -> list[Package]:
    """Packages in families of five around a core, and one package that all others need."""
    names = [f"family{number // 5}-part{number % 5}" for number in range(size)]
    related = [(*names[number // 5 * 5 : number // 5 * 5 + 1 + number % 5], "libc") for number in range(size)]
    return [Package("libc", "core", ()), *map(Package, names, ["text"] * size, related)]


def test_the_split_is_by_hash() -> None:
    # sha1sum of the name, first 8 hexadecimal digits, modulo 10: 1 1 0 0 0, and 9 8 6 8 5 3 9
    assert all(map(is_test, ("alpha", "gamma", "font-b", "player-data", "tool")))
    assert not any(map(is_test, ("beta", "delta", "editor", "libx", "libx-doc", "font-a", "player")))


def test_golden_folder(tmp_path: Path) -> None:
    """Alternatives, first version, no self, no unknown names, no empty documents, test labels only from train."""
    data = load_dataset(build_from(tmp_path))
    assert data.train.label_ids == ["font-a", "font-b", "libx", "libx-doc", "player", "player-data"]
    assert data.train.label_texts[2] == "libx: library"
    assert data.train.ids == ["font-a", "libx", "player"]
    assert data.train.texts == ["font-a: letters", "libx: library", "player: plays"]
    assert [data.train.labels[[row]].indices.tolist() for row in range(3)] == [[3], [4], [0, 1, 2, 5]]
    assert data.train.filter_pairs.tolist() == [[0, 0], [1, 2], [2, 4]]
    assert data.test is not None
    assert data.test.ids == ["player-data", "tool"]
    assert [data.test.labels[[row]].indices.tolist() for row in range(2)] == [[2, 4], [2]]
    assert data.test.filter_pairs.tolist() == [[0, 5]]
    assert (data.name, data.propensity_a, data.propensity_b) == ("debian-related", 0.55, 1.5)


def test_the_same_index_gives_the_same_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        build_from(folder, labels=4, documents=4, seed=3)
    for path in (first / "out").iterdir():
        assert path.read_bytes() == (second / "out" / path.name).read_bytes()


def test_order_of_the_list_does_not_matter() -> None:
    packages = crowd(60)
    assert relate(packages) == relate(packages[::-1])


def test_small_subset_keeps_to_its_sizes() -> None:
    whole = relate(crowd(600))
    small = small_subset(whole, labels=40, documents=100, seed=0)
    assert len(small.labels) == 40
    assert len(small.train) + len(small.test) == 100
    assert len(small.test) / 100 == pytest.approx(len(whole.test) / (len(whole.test) + len(whole.train)), abs=0.07)
    for name, labels in {**small.train, **small.test}.items():
        assert set(labels) == set({**whole.train, **whole.test}[name]) & set(small.labels)
    assert set(small.labels) == {label for labels in small.train.values() for label in labels}
    assert "libc" in small.labels


def test_small_subset_is_seeded_and_not_only_heads() -> None:
    whole = relate(crowd(600))
    small = small_subset(whole, labels=40, documents=100, seed=0)
    assert small == small_subset(whole, labels=40, documents=100, seed=0)
    assert small != small_subset(whole, labels=40, documents=100, seed=1)
    counts = Counter(label for labels in small.train.values() for label in labels)
    assert sum(counts.values()) - counts["libc"] > len(small.train)


def test_either_size_may_be_left_out() -> None:
    whole = relate(crowd(300))
    fewer_labels = small_subset(whole, labels=10, documents=None, seed=0)
    assert (len(fewer_labels.labels), len(fewer_labels.train)) == (10, len(whole.train))  # all have libc
    fewer_documents = small_subset(whole, labels=None, documents=50, seed=0)
    assert 40 <= len(fewer_documents.train) + len(fewer_documents.test) <= 50


def test_a_list_without_relations_is_an_error(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text("Package: alone\nDescription: no relations\n")
    with pytest.raises(AptIndexError, match=LIST):
        build_debian(tmp_path / "out", DebianSettings(lists=str(tmp_path)))
    assert not (tmp_path / "out").exists()
