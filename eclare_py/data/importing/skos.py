"""Labels of a SKOS vocabulary (W3C Recommendation, 2009): concepts, their texts in one language, their relations.

Read by rdflib, an optional extra. JSON-LD is not read: its contexts may be fetched from the network.
"""

from __future__ import annotations

import gzip
import importlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax import SAXParseException

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.entities import check_entities
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import Vocabulary, unambiguous
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError, UsageError

_SKOS = "http://www.w3.org/2004/02/skos/core#"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_DEPRECATED = "http://www.w3.org/2002/07/owl#deprecated"


def read_skos(path: Path, syntax: str, options: ImportOptions, tally: Tally) -> Vocabulary:
    """Read the concepts of a vocabulary, by IRI.

    A label's id is the IRI of the concept, its text the prefLabel and, with `alt_labels`, the altLabels behind it. Rows
    may name it by IRI (also in angle brackets), notation, prefLabel or altLabel. Deprecated concepts are left out.

    Args:
        path: The file, maybe `.gz`.
        syntax: What rdflib calls its format.
        options: Language and whether alternative labels are wanted.
        tally: Told concepts without a text in the language, and relations that lead nowhere.

    Raises:
        DataError: Missing or broken file, or no concept in it.
        UsageError: rdflib is missing, or the language must be chosen.
    """
    graph = _parse(path, syntax)
    concepts = _concepts(graph, tally)
    if not concepts:
        raise DataError("no skos:Concept in it", path=path)
    place = Place(path, Report())
    language = _language(graph, concepts, options.language, path)
    found = Vocabulary()
    names: list[tuple[str, int]] = []
    rows: dict[Any, int] = {}
    for concept in concepts:
        preferred = _texts(graph, concept, "prefLabel", language)
        others = _texts(graph, concept, "altLabel", language)
        if not preferred:
            preferred = _in_another_language(graph, concept, language, tally)
        words = [clean(word, tally, place, repair=options.repair) for word in (*preferred[:1], *others)]
        if not words or not words[0]:
            tally.note("concept without text: left out", str(concept))
            continue
        row = rows[concept] = len(found.ids)
        found.ids.append(str(concept))
        shown = [word for word in dict.fromkeys(words[1:]) if word and word != words[0]] if options.alt_labels else []
        found.texts.append(words[0] + (": " + "; ".join(shown) if shown else ""))
        names += [(word, row) for word in (*words, *_notations(graph, concept), f"<{concept}>")]
    found.other_names = unambiguous(names, found.ids)
    found.edges = sorted(set(_edges(graph, rows, tally)))
    return found


def _parse(path: Path, syntax: str) -> Any:
    try:
        rdflib = importlib.import_module("rdflib")
    except ImportError as error:
        raise UsageError("reading a SKOS vocabulary needs rdflib: pip install 'eclare_py[skos]'") from error
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as stream:
            if syntax == "xml":
                check_entities(stream, path)
            # Relative IRIs must not tell where the file lay.
            return rdflib.Graph().parse(file=stream, format=syntax, publicID=f"file:///{quote(path.name)}")
    except FileNotFoundError:
        raise DataError("file is missing", path=path) from None
    except SAXParseException as error:
        raise DataError(f"broken RDF ({error.getMessage()})", path=path, line=error.getLineNumber()) from error
    except DataError:
        raise
    except Exception as error:  # rdflib's parsers leave by IndexError, AssertionError and others where bytes are junk
        line = getattr(error, "lines", None)
        said = " ".join(str(getattr(error, "_why", error)).split())
        at = line + 1 if isinstance(line, int) else None
        raise DataError(f"broken {syntax} file ({show(said)[1:-1]})", path=path, line=at) from error


def _iri(iri: str) -> Any:
    return importlib.import_module("rdflib").URIRef(iri)


def _concepts(graph: Any, tally: Tally) -> list[Any]:
    """IRIs of the concepts in use, sorted."""
    found = []
    for concept in sorted(set(graph.subjects(_iri(_TYPE), _iri(_SKOS + "Concept"))), key=str):
        if not isinstance(concept, type(_iri(_SKOS))):
            tally.note("concept without IRI: left out", str(concept))
        elif any(str(value).lower() in ("true", "1") for value in graph.objects(concept, _iri(_DEPRECATED))):
            tally.note("deprecated concept: left out", str(concept))
        else:
            found.append(concept)
    return found


def _language(graph: Any, concepts: Iterable[Any], wanted: str | None, path: Path) -> str | None:
    """The language of the texts; None where the texts name none."""
    counts = Counter(
        (text.language or "") for concept in concepts for text in graph.objects(concept, _iri(_SKOS + "prefLabel"))
        if hasattr(text, "language")
    )  # fmt: skip
    named = {language: count for language, count in counts.items() if language}
    shown = ", ".join(
        f"{language} ({count:,})" for language, count in sorted(named.items(), key=lambda one: (-one[1], one[0]))
    )
    if wanted is not None:
        if named and not any(_speaks(language, wanted) for language in named):
            raise UsageError(f"{path}: no prefLabel in {wanted!r}; there are {shown}")
        return wanted
    if len(named) > 1:
        raise UsageError(f"{path}: texts in several languages, choose one (--language): {shown}")
    return next(iter(named), None)


def _speaks(language: str, wanted: str) -> bool:
    return language.lower() == wanted.lower() or language.lower().startswith(wanted.lower() + "-")


def _texts(graph: Any, concept: Any, kind: str, language: str | None) -> list[str]:
    """Literals in the language, or without any, sorted; those that name the language first."""
    found = [text for text in graph.objects(concept, _iri(_SKOS + kind)) if hasattr(text, "language")]
    fitting = [t for t in found if not t.language or language is None or _speaks(t.language, language)]
    return [str(text) for text in sorted(fitting, key=lambda text: (not text.language, str(text)))]


def _in_another_language(graph: Any, concept: Any, language: str | None, tally: Tally) -> list[str]:
    found = _texts(graph, concept, "prefLabel", None)
    if found:
        tally.note(f"no prefLabel in {language!r}: that of another language is used", f"{concept} {show(found[0])}")
    return found


def _notations(graph: Any, concept: Any) -> list[str]:
    return [str(value) for value in graph.objects(concept, _iri(_SKOS + "notation"))]


def _edges(graph: Any, rows: dict[Any, int], tally: Tally) -> Iterator[tuple[int, int, str]]:
    """(label, label, relation), each relation told in one way only: "narrower" as the other's "broader"."""
    for relation in ("broader", "narrower", "related"):
        for source, target in graph.subject_objects(_iri(_SKOS + relation)):
            if source not in rows or target not in rows:
                tally.note("relation to a concept that is not here", f"{source} {relation} {target}")
                continue
            pair = (rows[target], rows[source]) if relation == "narrower" else (rows[source], rows[target])
            if pair[0] == pair[1]:
                tally.note("relation to itself", f"{source} {relation}")
            elif relation == "related":
                yield min(pair), max(pair), "related"
            else:
                yield *pair, "broader"
