"""A whole data folder: which format it is in, its parts in a fixed order, its filter files."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from eclare_py.data import lf, xc
from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.card import Card, read_card
from eclare_py.data.dataset import DataFolder, Dataset, no_pairs
from eclare_py.data.groups import GroupRows, read_groups
from eclare_py.data.label_edges import EDGES, no_edges, read_edges
from eclare_py.data.lf_writer import DOCUMENTS, FILTERS, GROUPS, LABELS, TEST, TRAIN, Split
from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.data.rows import DocumentRows, LabelRows
from eclare_py.storage import recover
from eclare_py.types import IntArray


@dataclass(frozen=True, eq=False)
class FolderParts:
    """A data folder as read, maybe with errors told on the way.

    `files` hold the texts of the documents; with `groups` the train documents have no labels of their own.
    """

    path: Path
    labels: LabelRows
    label_file: Path
    documents: dict[Split, DocumentRows]
    filters: dict[Split, IntArray]
    files: dict[Split, Path]
    card: Card
    groups: GroupRows | None = None
    edges: IntArray = field(default_factory=no_edges)


def read_folder(path: Path, report: Report) -> FolderParts:
    """Read all parts; with a strict report the result is free of errors."""
    recover(path)  # a build killed in the instant of its swap left the earlier folder under another name
    if not path.is_dir():
        report.error(path, None, "is not a folder: name a folder with trn.json.gz and lbl.json.gz")
    elif not (path / TRAIN).exists() and (path / xc.LABEL_MATRICES["train"]).exists():
        return _finish(path, path / xc.LABEL_TEXTS, *_read_xc(path, report), report)
    elif not any((path / name).exists() for name in (LABELS, TRAIN, TEST)):
        report.error(path, None, f"no data set in it: {TRAIN} and {LABELS} are missing{_unpacked(path)}")
    else:
        found = _finish(path, path / LABELS, *_read_lf(path, report), report)
        return replace(found, groups=_read_groups(found, report)) if (path / GROUPS).exists() else found
    return FolderParts(path, LabelRows([], None, False), path, {}, {}, {}, Card(path.name))


def to_data_folder(parts: FolderParts) -> DataFolder:
    """The checked parts as data sets."""
    splits: dict[Split, Dataset] = {}
    for split, rows in parts.documents.items():
        pairs = parts.filters.get(split, no_pairs())
        if split == "train" and parts.groups is not None:
            splits[split] = AggregatedDataset.of(
                rows.texts, parts.groups.of, parts.groups.labels, parts.labels.texts, ids=rows.ids,
                label_ids=parts.labels.ids, filter_pairs=pairs, label_edges=parts.edges,
            )  # fmt: skip
            continue
        splits[split] = Dataset(
            rows.texts, rows.labels, parts.labels.texts, rows.ids, parts.labels.ids, pairs, parts.edges
        )
    card = parts.card
    return DataFolder(splits["train"], splits.get("test"), card.name, parts.path, card.propensity_a, card.propensity_b)


def _read_lf(path: Path, report: Report) -> tuple[LabelRows, dict[Split, DocumentRows], dict[Split, Path]]:
    labels = lf.read_labels(path / LABELS, report)
    documents: dict[Split, DocumentRows] = {}
    files: dict[Split, Path] = {}
    for split, name in DOCUMENTS.items():
        if split == "train" or (path / name).exists():
            files[split] = path / name
            labelled = split != "train" or not (path / GROUPS).exists()
            documents[split] = lf.read_documents(files[split], labels.known, report, labelled=labelled)
    return labels, documents, files


def _read_groups(parts: FolderParts, report: Report) -> GroupRows:
    known = parts.documents["train"].known
    return read_groups(parts.path / GROUPS, known, parts.labels.known, report)


def _read_xc(path: Path, report: Report) -> tuple[LabelRows, dict[Split, DocumentRows], dict[Split, Path]]:
    labels = xc.read_label_texts(path / xc.LABEL_TEXTS, report)
    documents: dict[Split, DocumentRows] = {}
    files: dict[Split, Path] = {}
    for split, name in xc.LABEL_MATRICES.items():
        if split == "train" or (path / name).exists():
            files[split] = path / xc.TEXTS[split]
            documents[split] = xc.read_documents(path / name, files[split], labels.known, report)
    return labels, documents, files


def _finish(
    path: Path,
    label_file: Path,
    labels: LabelRows,
    documents: dict[Split, DocumentRows],
    files: dict[Split, Path],
    report: Report,
) -> FolderParts:
    filters: dict[Split, IntArray] = {}
    for split, name in FILTERS.items():
        if not (path / name).exists():
            continue
        if split not in documents:
            report.error(path / name, None, f"there is no {DOCUMENTS[split]} for it: add that or remove this file")
        else:
            filters[split] = read_filter(path / name, documents[split].known, labels.known, report)
    edges = read_edges(path / EDGES, labels.known, report) if (path / EDGES).exists() else no_edges()
    return FolderParts(path, labels, label_file, documents, filters, files, read_card(path, report), edges=edges)


def read_filter(path: Path, n_documents: int | None, n_labels: int | None, report: Report) -> IntArray:
    """Read a filter file: a line is "document label", two row numbers from 0.

    Returns:
        (F, 2) int64, sorted and unique; the file may be neither.
    """
    place, flat = Place(path, report), array("q")
    for place.line, line in LineReader(path, report):
        if line is None:
            continue
        words = line.split()
        if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
            place.fault(f'{show(line)} is not two row numbers: write "document label", both counted from 0')
            continue
        pair = [int(word) for word in words]
        for value, end, kind in zip(pair, (n_documents, n_labels), ("document", "label"), strict=True):
            if end is not None and value >= end:
                place.fault(f"{kind} {value} is outside 0..{end - 1}: remove the line or correct it")
                break
        else:
            flat.extend(pair)
    pairs = np.array(flat, dtype=np.int64).reshape(-1, 2)
    return np.unique(pairs, axis=0) if len(pairs) else no_pairs()


def _unpacked(path: Path) -> str:
    plain = [name for name in ("trn.json", "lbl.json") if (path / name).exists()]
    return f"; pack {' and '.join(plain)} with gzip" if plain else ""
