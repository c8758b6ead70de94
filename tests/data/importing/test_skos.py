from __future__ import annotations

import gzip
import importlib
import logging
from pathlib import Path
from typing import Any

import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.importing import import_table
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import Vocabulary, read_vocabulary
from eclare_py.data.label_edges import RELATIONS
from eclare_py.errors import DataError, UsageError

TURTLE = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix : <http://x.org/> .
:scheme a skos:ConceptScheme ; skos:prefLabel "Animals"@en .
:animal a skos:Concept ; skos:prefLabel "animals"@en , "el\u00e4imet"@fi ; skos:narrower :cat ; skos:notation "A1" .
:cat a skos:Concept ; skos:prefLabel "cats"@en , "kissat"@fi ; skos:altLabel "house  cats"@en , "felis catus"@en ,
    "kisulit"@fi , "cats"@en ; skos:broader :animal ; skos:related :dog .
:dog a skos:Concept ; skos:prefLabel "koirat"@fi ; skos:related :cat , :wolf ; skos:broader :animal , :dog .
:lynx a skos:Concept ; skos:prefLabel "lynx"@en-GB ; skos:altLabel "felis catus"@en ; skos:broader :cat .
:old a skos:Concept ; skos:prefLabel "dragons"@en ; owl:deprecated true .
:mute a skos:Concept ; skos:broader :animal .
"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:skos="http://www.w3.org/2004/02/skos/core#">
<skos:Concept rdf:about="http://x.org/a"><skos:prefLabel>one</skos:prefLabel></skos:Concept>
<skos:Concept rdf:about="http://x.org/b"><skos:prefLabel>two</skos:prefLabel><skos:broader rdf:resource="http://x.org/a"/>
</skos:Concept></rdf:RDF>
"""


def read(path: Path, content: str, **options: Any) -> tuple[Vocabulary, dict[str, int]]:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    tally = Tally()
    found = read_vocabulary(path, ImportOptions(**options), tally)
    return found, {one.reason: one.count for one in tally.findings}


@pytest.mark.parametrize("name", ["v.ttl", "v.ttl.gz"])
def test_texts_names_and_relations(tmp_path: Path, name: str) -> None:
    found, told = read(tmp_path / name, TURTLE, language="en")
    assert found.ids == [f"http://x.org/{name}" for name in ("animal", "cat", "dog", "lynx")]
    assert found.texts == ["animals", "cats: felis catus; house cats", "koirat", "lynx: felis catus"]
    assert found.edges == [(1, 0, "broader"), (1, 2, "related"), (2, 0, "broader"), (3, 1, "broader")]
    assert found.other_names["A1"] == 0
    assert found.other_names["<http://x.org/dog>"] == 2
    assert found.other_names["house cats"] == found.other_names["cats"] == 1
    assert "felis catus" not in found.other_names  # it may mean two
    assert told == {
        "no prefLabel in 'en': that of another language is used": 1, "deprecated concept: left out": 1,
        "concept without text: left out": 1, "relation to a concept that is not here": 2, "relation to itself": 1,
        "white space": 1,
    }  # fmt: skip


def test_without_alternative_labels_they_are_still_names(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "v.ttl", TURTLE, language="en", alt_labels=False)
    assert found.texts == ["animals", "cats", "koirat", "lynx"]
    assert found.other_names["house cats"] == 1


def test_rdf_xml_and_ntriples_without_languages(tmp_path: Path) -> None:
    found, told = read(tmp_path / "v.rdf", RDF)
    assert (found.ids, found.texts) == (["http://x.org/a", "http://x.org/b"], ["one", "two"])
    assert (found.edges, told) == ([(1, 0, "broader")], {})
    triple = "<http://x.org/a> <http://www.w3.org/{}> {} .\n"
    lines = triple.format("1999/02/22-rdf-syntax-ns#type", "<http://www.w3.org/2004/02/skos/core#Concept>")
    lines += triple.format("2004/02/skos/core#prefLabel", '"one"@de')
    assert read(tmp_path / "v.nt", lines)[0].texts == ["one"]


def test_the_language_must_be_chosen_and_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"choose one \(--language\): fi \(3\), en \(2\), en-(gb|GB) \(1\)"):
        read(tmp_path / "v.ttl", TURTLE)
    with pytest.raises(UsageError, match="no prefLabel in 'sv'; there are fi"):
        read(tmp_path / "v.ttl", TURTLE, language="sv")
    assert read(tmp_path / "v.ttl", TURTLE, language="en-GB")[0].texts[3] == "lynx"


@pytest.mark.parametrize(
    ("name", "content", "line", "fault"),
    [
        ("v.ttl", TURTLE + "\n:broken a skos:Concept ;; [ .\n", 14, "broken turtle file"),
        ("v.rdf", RDF.replace("</rdf:RDF>", "</rdf:rdf>"), 4, "broken RDF"),
        ("v.nt", "this is no triple\n", None, "broken nt file"),
        ("v.ttl", "@prefix : <http://x.org/> .\n", None, "no skos:Concept in it"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: str, line: int | None, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path / name, content)
    assert caught.value.path == str(tmp_path / name)
    assert line is None or caught.value.line is not None and abs(caught.value.line - line) <= 1


@pytest.mark.parametrize(
    "entity",
    ['SYSTEM "other.txt"', '"&y;&y;&y;"', f'"{"long" * 300}"', '"&#38;y;"'],
    ids=["file", "nested", "long", "late"],
)
def test_xml_that_would_unfold_is_refused(tmp_path: Path, entity: str) -> None:
    head = f'<!DOCTYPE r [\n<!ENTITY y "fine">\n<!ENTITY x {entity}>]>'
    with pytest.raises(DataError, match="entity 'x' refers to others or is long") as caught:
        read(tmp_path / "v.rdf", head + RDF.replace("one", "one &x;"))
    assert caught.value.line == 3
    short = '<!DOCTYPE r [<!ENTITY x "and more">]>' + RDF.replace("one", "one &x;")
    assert read(tmp_path / "v.rdf", short)[0].texts[0] == "one and more"


def test_relative_names_do_not_tell_where_the_file_lay(tmp_path: Path) -> None:
    content = TURTLE.replace(":cat ", "<#cat> ")
    assert "file:///v.ttl#cat" in read(tmp_path / "v.ttl", content, language="en")[0].ids


def test_missing_file_and_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="file is missing"):
        read_vocabulary(tmp_path / "none.ttl", ImportOptions(), Tally())

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UsageError, match=r"needs rdflib: pip install 'eclare_py\[skos\]'"):
        read(tmp_path / "v.ttl", TURTLE)


def test_an_import_with_a_thesaurus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "v.ttl").write_text(TURTLE, encoding="utf-8")
    (tmp_path / "rows.tsv").write_text("text\tlabels\nmy cat\tcats|A1\nmy dog\t<http://x.org/dog>\nour wolf\twolves\n")
    with caplog.at_level(logging.WARNING):
        summary = import_table(tmp_path / "rows.tsv", tmp_path / "out", label_file=tmp_path / "v.ttl", language="en",
                               separator="|", test_share=0)  # fmt: skip
    part = load_dataset(tmp_path / "out").train
    assert part.labels.toarray().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0]]
    assert part.label_ids is not None and part.label_ids[3] == "http://x.org/lynx"
    assert [(s, t, RELATIONS[r]) for s, t, r in part.label_edges.tolist()] == [
        (1, 0, "broader"), (1, 2, "related"), (2, 0, "broader"), (3, 1, "broader"),
    ]  # fmt: skip
    assert summary.report["labels"]["edges"] == 4
    assert summary.report["labels"]["without_documents"] == 1
    assert caplog.records == []
    few = import_table(tmp_path / "rows.tsv", tmp_path / "out", label_file=tmp_path / "v.ttl", language="en",
                       separator="|", test_share=0, min_count=1)  # fmt: skip
    assert (few.labels, few.report["labels"]["edges"]) == (3, 3)
    assert load_dataset(tmp_path / "out").train.label_edges.tolist() == [[1, 0, 0], [1, 2, 1], [2, 0, 0]]
