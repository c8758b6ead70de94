"""The REST interface of Annif (github.com/NatLibFi/Annif), as far as its client asks for suggestions.

One project: the model. `uri` is the label's id, or its text where labels have no ids. A batch may have as many texts as
the server's own interface takes; Annif allows 32.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclare_py import __version__
from eclare_py.serve.native import reply
from eclare_py.serve.problems import Refusal
from eclare_py.serve.schemas import Text
from eclare_py.serve.service import Service
from eclare_py.serve.settings import CHARS, TEXTS, K

_FIELDS = 32  # of a form
_FORM = "application/x-www-form-urlencoded"
_FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["text"],
                    "properties": {
                        "text": {"type": "string", "maxLength": CHARS},
                        "limit": {"type": "integer", "minimum": 0, "maximum": K, "default": 10},
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
                    },
                }
            }
        },
    }
}


class Document(BaseModel):
    """A text of a batch; other keys are ignored, as Annif's documents may have metadata."""

    text: Text
    document_id: str | None = Field(None, max_length=1000)


class Batch(BaseModel):
    """Texts to be labelled."""

    documents: list[Document] = Field(max_length=TEXTS)


Limit = Annotated[int, Query(ge=0, le=K)]
Threshold = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]


def routes(service: Service, modified: datetime | None) -> APIRouter:
    """The routes over a model.

    Args:
        service: The model.
        modified: When it was saved.
    """
    router = APIRouter(prefix="/v1", tags=["Annif"])
    settings = service.settings

    @router.get("/")
    async def info() -> Response:
        """Which interface this is."""
        return reply({"title": "Annif REST API", "version": f"eclare_py {__version__}"})

    @router.get("/projects")
    async def projects() -> Response:
        """The one project."""
        return reply({"projects": [_project(service, modified)]})

    @router.get("/projects/{project_id}")
    async def project(project_id: str) -> Response:
        """The project by its id."""
        _check(project_id, settings.name)
        return reply(_project(service, modified))

    @router.post("/projects/{project_id}/suggest", openapi_extra=_FORM_BODY)
    async def suggest(project_id: str, request: Request) -> Response:
        """Labels for one text."""
        _check(project_id, settings.name)
        form = await _form(request)
        text, limit, threshold = _text(form), _number(form, "limit", 10, K), _number(form, "threshold", 0, 1)
        if limit != int(limit):
            raise Refusal(422, "limit must be a whole number")
        return reply({"results": (await _suggest(service, [text], int(limit), threshold))[0]})

    @router.post("/projects/{project_id}/suggest-batch")
    async def suggest_batch(project_id: str, batch: Batch, limit: Limit = 10, threshold: Threshold = 0.0) -> Response:
        """Labels for several texts."""
        _check(project_id, settings.name)
        found = await _suggest(service, [one.text for one in batch.documents], limit, threshold)
        pairs = zip(batch.documents, found, strict=True)
        return reply([{"document_id": one.document_id, "results": results} for one, results in pairs])

    return router


def _project(service: Service, modified: datetime | None) -> dict[str, Any]:
    settings = service.settings
    return {
        "project_id": settings.name,
        "name": settings.name,
        "language": settings.language,
        "backend": {"backend_id": "eclare"},
        "vocab": {
            "vocab_id": settings.name,
            "languages": [settings.language],
            "size": service.engine.model.n_labels,
            "loaded": service.ready,
        },
        "vocab_language": settings.language,
        "is_trained": True,
        "modification_time": None if modified is None else modified.isoformat(),
    }


def _check(project_id: str, name: str) -> None:
    if project_id != name:
        raise Refusal(404, f"there is no such project; the only one is '{name}'")


async def _suggest(service: Service, texts: list[str], limit: int, threshold: float) -> list[list[dict[str, Any]]]:
    if not limit or not texts:
        return [[] for _ in texts]
    labels = service.engine.labels
    return [
        [
            {"uri": labels.name(row), "label": labels.texts[row], "notation": None, "score": score}
            for row, score in found
        ]
        for found in service.rows(await service.rank(texts, limit, service.deadline()), threshold)
    ]


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal(415, f"send the text as {_FORM}")
    try:
        words = (await request.body()).decode("utf-8")
        pairs = parse_qsl(words, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:  # not UTF-8, or too many fields
        raise Refusal(422, f"the form must be UTF-8 and have at most {_FIELDS} fields") from None
    return dict(pairs)


def _text(form: dict[str, str]) -> str:
    if "text" not in form:
        raise Refusal(422, "the form has no field text")
    if len(form["text"]) > CHARS:
        raise Refusal(422, f"text has more than {CHARS:,} characters")
    return form["text"]


def _number(form: dict[str, str], name: str, default: float, most: float) -> float:
    try:
        value = float(form.get(name, default))
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise Refusal(422, f"{name} must be a number from 0 to {most}")
    return value
