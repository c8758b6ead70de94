"""A look at the document type of an XML file before a parser expands it."""

from __future__ import annotations

from io import BufferedIOBase
from pathlib import Path
from typing import Any
from xml.parsers import expat

from eclare_py.errors import DataError

_LONGEST = 1000  # characters of an entity: ontologies abbreviate their IRIs by entities, and need no more
_PIECE = 2**16


class _RootReached(Exception):
    """The document type is over."""


def check_entities(stream: BufferedIOBase, path: Path) -> None:
    """Refuse entities that refer to entities, to other files, or are long: they may unfold without end.

    Reads up to the root element and goes back to the start.

    Raises:
        DataError: There is such an entity.
    """
    parser = expat.ParserCreate()

    def declared(name: str, _parameter: bool, value: str | None, *_others: Any) -> None:
        if value is None or "&" in value or "%" in value or len(value) > _LONGEST:
            said = f"entity {name!r} refers to others or is long: write its text out"
            raise DataError(said, path=path, line=parser.CurrentLineNumber)

    def reached(_name: str, _attributes: Any) -> None:
        raise _RootReached

    parser.EntityDeclHandler = declared
    parser.StartElementHandler = reached
    try:
        while piece := stream.read(_PIECE):
            parser.Parse(piece)
    except (_RootReached, expat.ExpatError):
        pass  # what is broken is told by the parser that reads all of it
    stream.seek(0)
