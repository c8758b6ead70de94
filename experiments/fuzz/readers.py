"""Every reader of text files: a small valid file, and what is called with its path.

A reader may take any bytes or refuse them with an error that names the file; nothing else.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.config import load_config, read_recipe
from eclare_py.data import lf, xc
from eclare_py.data.card import read_card
from eclare_py.data.folder import read_filter
from eclare_py.data.groups import read_groups
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tables import read_table
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import read_vocabulary
from eclare_py.data.label_edges import read_edges
from eclare_py.data.problems import Report
from eclare_py.errors import DataError, EclareError, ModelError, UsageError
from eclare_py.metrics.per_document import read_document_scores
from eclare_py.storage import read_json
from eclare_py.train.recipe import Recipe
from fuzz.texts import write

_LINES = """{"title": "a cat", "target_ind": [0, 1], "target_rel": [1, 0.5], "uid": "x"}
{"title": "b", "content": "c", "target_ind": [], "uid": "y"}
"""
_TURTLE = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix : <http://x.org/> .
:a a skos:Concept ; skos:prefLabel "cats"@en , "kissat"@fi ; skos:altLabel "felis"@en ; skos:broader :b .
:b a skos:Concept ; skos:prefLabel "animals"@en ; skos:notation "B" ; skos:related :a .
"""
_XML = """<?xml version="1.0"?><!DOCTYPE rdf:RDF [<!ENTITY x "http://x.org/">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:skos="http://www.w3.org/2004/02/skos/core#">
<skos:Concept rdf:about="&x;a"><skos:prefLabel xml:lang="en">one</skos:prefLabel></skos:Concept></rdf:RDF>
"""
_TRIPLES = """<http://x.org/a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/2004/02/skos/core#Concept> .
<http://x.org/a> <http://www.w3.org/2004/02/skos/core#prefLabel> "one"@en .
"""  # noqa: E501
_RECIPE = "name: x\nseed: 3\nlinear: {max_leaf: 8, beam: 3}\nrank:\n  steps: 40  # few\ndocument: {dim: 16}\n"


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of file.

    Attributes:
        file: Name of the file; one that ends in .gz is packed before the call.
        valid: Content that is read without an error.
        call: Reads a path.
        errors: What it may raise.
    """

    file: str
    valid: bytes
    call: Callable[[Path], Any]
    errors: tuple[type[EclareError], ...] = (DataError,)


def attempt(reader: Reader, content: bytes, folder: Path) -> EclareError | None:
    """Read this content; an error that is right is returned.

    Raises:
        Exception: Anything but an error of `reader.errors` that names the file.
    """
    path = folder / reader.file
    write(path, content)
    try:
        reader.call(path)
    except reader.errors as error:
        assert str(path) in str(error), f"names no file: {error}"
        line = getattr(error, "line", None)
        assert line is None or line >= 1, f"line {line}"
        return error
    return None


def _scores() -> bytes:
    stream = io.BytesIO()
    cells = np.array([["P@1", "all"], ["R@10", "all"]])
    np.savez_compressed(
        stream, cells=cells, gained=np.ones((2, 3)), possible=np.ones((2, 3)), test_set=np.array("abc")
    )
    return stream.getvalue()


def _table(path: Path) -> None:
    deque(read_table(path, ("text", "labels"), Tally(), optional=("id",)), maxlen=0)


def _concepts(path: Path) -> None:
    read_vocabulary(path, ImportOptions(language="en"), Tally())


def _names(path: Path) -> None:
    read_vocabulary(path, ImportOptions(label_id="label", label_text="text"), Tally())


def _recipe(path: Path) -> None:
    load_config(Recipe, read_recipe(path), str(path))


_JSONL = b'{"text": "a", "labels": ["x", "y"]}\n{"text": "b", "labels": "x;z", "id": 3}\n'
_CSV = b'id,text,labels\n1,"a, ""b""\nc",x;y\n2,d,z\n'
_GROUPS = b'{"members": [0, 2], "target_ind": [3]}\n{"members": [1], "target_ind": []}\n'
_STRICT = Report()
READERS: dict[str, Reader] = {
    "LF labels": Reader("lbl.json.gz", b'{"title": "a", "uid": 1}\n{"title": "b", "uid": 2}\n',
                        partial(lf.read_labels, report=_STRICT)),
    "LF documents": Reader("trn.json.gz", _LINES.encode(), partial(lf.read_documents, n_labels=4, report=_STRICT)),
    "LF groups": Reader("groups.json.gz", _GROUPS, partial(
        read_groups, n_documents=3, n_labels=4, report=_STRICT)),
    "XC matrix": Reader("trn_X_Xf.txt", b"2 4\n0:1 3:-2.5e-3\n\n", xc.read_sparse),
    "XC labels": Reader("trn_X_Y.txt", b"3 4\n0:1 3:0.5\n\n1:1\n", partial(xc.read_sparse, labels=True)),
    "XC in one": Reader("old.txt", b"3 5 4\n0,3 0:1 4:2\n 1:1\n2 \n", xc.read_all_in_one),
    "XC texts": Reader("Y.txt", b"one\ntwo\n", partial(xc.read_label_texts, report=_STRICT)),
    "filter": Reader("filter_labels_train.txt", b"0 1\n2 3\n", partial(
        read_filter, n_documents=3, n_labels=4, report=_STRICT)),
    "edges": Reader("label_edges.txt", b"0 1 broader\n2 3 related\n", partial(read_edges, n_labels=4, report=_STRICT)),
    "card": Reader("card.json", b'{"name": "x", "propensity": {"A": 0.55, "B": 1.5}}', lambda path: read_card(
        path.parent, _STRICT)),
    "JSONL": Reader("rows.jsonl", _JSONL, _table),
    "JSONL packed": Reader("rows.jsonl.gz", _JSONL, _table),
    "CSV": Reader("rows.csv", _CSV, _table),
    "TSV": Reader("rows.tsv", _CSV.replace(b",", b"\t"), _table),
    "label table": Reader("labels.csv", b"label,text,broader\na,one,\nb,two,a\n", _names),
    "SKOS turtle": Reader("v.ttl", _TURTLE.encode(), _concepts, (DataError, UsageError)),
    "SKOS XML": Reader("v.rdf", _XML.encode(), _concepts, (DataError, UsageError)),
    "SKOS triples": Reader("v.nt", _TRIPLES.encode(), _concepts, (DataError, UsageError)),
    "recipe": Reader("r.yaml", _RECIPE.encode(), _recipe, (UsageError,)),
    "model JSON": Reader("facts.json", json.dumps({"a": [1, 2.5, {"b": None}], "c": "x"}).encode(), read_json,
                         (ModelError,)),
    "document scores": Reader("run.documents.npz", _scores(), read_document_scores),
}  # fmt: skip
