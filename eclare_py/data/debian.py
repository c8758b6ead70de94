"""`debian-related`: a real extreme classification set made of this machine's own apt index.

A document is a package, "name: short description". Its relevant labels are the packages it depends on, recommends,
suggests or enhances: every alternative of `a | b`, whatever version or architecture is asked for. What is no package of
the list (virtual packages, other components) and the package itself are left out, and so are documents without labels.
A package listed in several versions counts once, as listed first. Documents and labels are in the order of their names.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.data.apt import LISTS, AptIndexError, Package, PackageList, choose_list, open_list, parse_packages
from eclare_py.data.benchmarks import built_card
from eclare_py.data.lf_writer import LfWriter, Split
from eclare_py.data.settings import setting

NAME = "debian-related"
TEST_TENTHS = 2  # of ten documents go to the test split, chosen by a hash of the name: a rebuilt set keeps its split


@dataclass(frozen=True)
class DebianSettings:
    """Settings of `debian-related`; without `labels` and `documents` the whole set is built."""

    labels: int | None = setting(None, "labels of a small connected subset, at most", low=2)
    documents: int | None = setting(None, "train and test documents of a small subset, at most", low=5)
    seed: int = setting(0, "seed of the subset", low=0)
    suite: str | None = setting(None, "suite of the package list, such as bookworm")
    component: str | None = setting(None, "component, such as main (preferred) or universe")
    arch: str | None = setting(None, "architecture, such as amd64 (this machine's is preferred)")
    lists: str = setting(str(LISTS), "folder with apt's package lists")


@dataclass(frozen=True)
class Related:
    """The set before it is written; all names sorted.

    Attributes:
        packages: Text of every package that is a document or a label, by name.
        train: Labels of each train document.
        test: Labels of each test document, all of them train labels.
        labels: The label names.
    """

    packages: Mapping[str, str]
    train: Mapping[str, Sequence[str]]
    test: Mapping[str, Sequence[str]]
    labels: Sequence[str]


def build_debian(out: Path, settings: DebianSettings) -> None:
    """Build the data folder `out`.

    Raises:
        AptIndexError: No apt index here, or none as wished.
    """
    chosen = choose_list(Path(settings.lists), suite=settings.suite, component=settings.component, arch=settings.arch)
    with open_list(chosen.path) as lines:
        related = relate(parse_packages(lines))
    if settings.labels is not None or settings.documents is not None:
        related = small_subset(related, labels=settings.labels, documents=settings.documents, seed=settings.seed)
    if not related.train:
        raise AptIndexError("no package of this list is related to another one", path=chosen.path)
    write(out, related, _source(chosen))


def is_test(name: str) -> bool:
    """Whether a document is in the test split: sha1(name), first 8 hexadecimal digits, modulo 10, below 2."""
    return int(hashlib.sha1(name.encode("utf-8")).hexdigest()[:8], 16) % 10 < TEST_TENTHS


def relate(packages: Iterable[Package]) -> Related:
    """Turn packages into documents and labels by the rules of this module."""
    known: dict[str, Package] = {}
    for package in packages:
        known.setdefault(package.name, package)
    documents = {
        name: [other for other in known[name].related if other in known and other != name] for name in sorted(known)
    }
    return _split({name: one.text for name, one in known.items()}, documents)


def small_subset(related: Related, *, labels: int | None, documents: int | None, seed: int) -> Related:
    """A small set that keeps what the whole one is like: heads, rare labels, and labels that occur together.

    Whole train documents are taken in random order, and all their labels join, until there are `labels`. Further
    documents with at least one of these are drawn, those with rare labels more often, for otherwise most of them
    would carry only the one or two labels that half of all packages have. The share of test documents is kept.
    """
    random = np.random.default_rng(seed)
    wanted = len(related.labels) if labels is None else labels
    kept, core = _grow(related.train, wanted, random)
    frequency = Counter(label for row in related.train.values() for label in row)
    train: Mapping[str, Sequence[str]]
    test: Mapping[str, Sequence[str]]
    train, test = (
        {name: row for name, all_labels in part.items() if (row := [label for label in all_labels if label in kept])}
        for part in (related.train, related.test)
    )
    if documents is not None and documents < len(train) + len(test):
        n_test = round(documents * len(test) / (len(train) + len(test)))
        first = core[: documents - n_test]
        train = _draw(train, documents - n_test, first, frequency, random)
        test = _draw(test, n_test, [], frequency, random)
    return _split(related.packages, dict(sorted({**train, **test}.items())))


def _grow(train: Mapping[str, Sequence[str]], wanted: int, random: np.random.Generator) -> tuple[set[str], list[str]]:
    """Labels of a random row of whole documents, and these documents."""
    names, kept, core = list(train), set[str](), list[str]()
    for place in random.permutation(len(names)).tolist():
        if len(kept) >= wanted:
            break
        core.append(names[place])
        kept.update(train[names[place]][: wanted - len(kept)])
    return kept, core


def _draw(
    rows: Mapping[str, Sequence[str]],
    wanted: int,
    first: Sequence[str],
    frequency: Mapping[str, int],
    random: np.random.Generator,
) -> dict[str, Sequence[str]]:
    """`first` and further documents up to `wanted`, drawn without replacement (Gumbel keys) by their rare labels."""
    names = list(rows)
    weight = np.array([sum(frequency[label] ** -0.5 for label in rows[name]) for name in names])
    keys = np.log(weight) + random.gumbel(size=len(names))
    keys[[place for place, name in enumerate(names) if name in set(first)]] = np.inf
    order = np.argsort(-keys, kind="stable")[:wanted]
    return {names[place]: rows[names[place]] for place in np.sort(order).tolist()}


def _split(texts: Mapping[str, str], documents: Mapping[str, Sequence[str]]) -> Related:
    """Split documents, keep the labels that occur in train, and drop documents left without any."""
    train = {name: sorted(row) for name, row in documents.items() if row and not is_test(name)}
    labels = sorted({label for row in train.values() for label in row})
    known = set(labels)
    test = {name: sorted(known.intersection(row)) for name, row in documents.items() if is_test(name)}
    test = {name: row for name, row in test.items() if row}
    used = known.union(train, test)
    return Related({name: texts[name] for name in used}, train, test, labels)


def write(out: Path, related: Related, source: Mapping[str, Any]) -> None:
    """Write the data folder: labels, both splits, filter pairs (document and label are one package) and the card."""
    columns = {name: column for column, name in enumerate(related.labels)}
    splits: dict[Split, Mapping[str, Sequence[str]]] = {"train": related.train, "test": related.test}
    with LfWriter(out) as writer:
        for name in related.labels:
            writer.label(related.packages[name], uid=name)
        for split, rows in splits.items():
            for name, labels in rows.items():
                writer.document(split, related.packages[name], [columns[label] for label in labels], uid=name)
            writer.filter_pairs(split, _own_labels(rows, columns))
        writer.card(built_card(NAME, {"source": dict(source)}))


def _own_labels(rows: Iterable[str], columns: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    return ((row, columns[name]) for row, name in enumerate(rows) if name in columns)


def _source(chosen: PackageList) -> dict[str, str]:
    return {"list": chosen.path.name, "suite": chosen.suite, "component": chosen.component, "arch": chosen.arch}
