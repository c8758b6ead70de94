"""The labels as a file of their own: a table of names and texts, or a SKOS vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tables import read_table, table_format
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.values import is_missing, label_name
from eclare_py.data.label_edges import RELATIONS
from eclare_py.data.problems import show
from eclare_py.errors import DataError

SKOS_FORMATS = {".ttl": "turtle", ".turtle": "turtle", ".nt": "nt", ".rdf": "xml", ".xml": "xml", ".owl": "xml"}


@dataclass
class Vocabulary:
    """Labels and what is known about them.

    Attributes:
        ids: L names, distinct.
        texts: L texts, none empty.
        other_names: Further names that mean one label and no other: notation, text, alternative labels.
        edges: (label, label, relation) by place.
    """

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    other_names: dict[str, int] = field(default_factory=dict)
    edges: list[tuple[int, int, str]] = field(default_factory=list)


def read_vocabulary(path: Path, options: ImportOptions, tally: Tally) -> Vocabulary:
    """Read the label file.

    A table may have columns "broader", "narrower" and "related" with names of other labels: edges of the label graph.

    Raises:
        DataError: The file is missing, damaged, or has no labels.
        UsageError: Unknown format, a missing optional library, or a language to be chosen.
    """
    if table_format(path) in SKOS_FORMATS:
        from eclare_py.data.importing.skos import read_skos

        return read_skos(path, SKOS_FORMATS[table_format(path)], options, tally)
    return _from_table(path, options, tally)


def unambiguous(names: Iterable[tuple[str, int]], taken: Iterable[str]) -> dict[str, int]:
    """Names that stand for one label only, without those that are `taken` as ids."""
    found: dict[str, int] = {}
    twice = set(taken)
    for name, row in names:
        if found.setdefault(name, row) != row:
            twice.add(name)
    return {name: row for name, row in found.items() if name and name not in twice}


def _from_table(path: Path, options: ImportOptions, tally: Tally) -> Vocabulary:
    found = Vocabulary()
    related: list[tuple[int, str, str, str]] = []
    rows: dict[str, int] = {}
    columns = (options.label_id, *options.label_texts)
    if options.label_id in options.label_texts:
        columns = options.label_texts
    wanted = len(columns)
    for place, values in read_table(path, columns, tally, optional=RELATIONS, encoding=options.encoding):
        record = dict(zip((*columns, *RELATIONS), values, strict=True))
        name = label_name(record[options.label_id])
        if name is None or not (name := clean(name, tally, place, repair=options.repair)):
            tally.reject("label without name", place, show(record[options.label_id]))
            continue
        if name in rows:
            tally.reject("label stands twice", place, show(name))
            continue
        where = f"{path.name}:{place.line}"
        parts = [clean(str(record[key]), tally, place, repair=options.repair)
                 for key in options.label_texts if record[key] is not None]  # fmt: skip
        text = " ".join(part for part in parts if part)
        if not text:
            tally.note("label without text: its name is used", f"{where}: {show(name)}")
        rows[name] = len(found.ids)
        found.ids.append(name)
        found.texts.append(text or name)
        related += [(rows[name], where, *pair) for pair in _relations(values[wanted:], options.separator)]
    if not found.ids:
        raise DataError("no labels in it", path=path)
    found.other_names = unambiguous(((text, row) for row, text in enumerate(found.texts)), rows)
    _add_edges(found, related, rows, tally)
    return found


def _relations(values: Any, separator: str) -> list[tuple[str, str]]:
    """(name of the other label, relation) of the relation columns of a row."""
    return [
        (other.strip(), relation)
        for relation, given in zip(RELATIONS, values, strict=True)
        if given and not is_missing(given)
        for other in _split(given, separator)
        if other.strip()
    ]


def _split(given: Any, separator: str) -> list[str]:
    if isinstance(given, str):
        return given.split(separator)
    return [label_name(one) or str(one) for one in (given if isinstance(given, (list, tuple)) else (given,))]


def _add_edges(found: Vocabulary, related: list[tuple[int, str, str, str]], rows: dict[str, int], tally: Tally) -> None:
    for source, where, other, relation in related:
        target = rows.get(other, found.other_names.get(other, -1))
        if target < 0 or target == source:
            reason = "relation to an unknown label" if target < 0 else "relation to itself"
            tally.note(reason, f"{where}: {show(found.ids[source])} {relation} {show(other)}")
        else:
            found.edges.append((source, target, relation))
