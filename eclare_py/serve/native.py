"""The routes of this package: predict, explain, labels, model."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from eclare_py.rank.explain import Split
from eclare_py.rank.selection import keep_above
from eclare_py.serve.problems import Refusal, not_ready
from eclare_py.serve.schemas import (
    ExplainRequest,
    ExplainResponse,
    LabelResponse,
    ModelResponse,
    PredictRequest,
    PredictResponse,
)
from eclare_py.serve.service import Service
from eclare_py.serve.settings import CHARS, TEXTS, K


def routes(service: Service) -> APIRouter:
    """The routes over a model. Answers are written by hand: checking what the model says again would take longer."""
    router = APIRouter(prefix="/v1", tags=["eclare"])
    engine = service.engine

    @router.post("/predict", response_model=PredictResponse)
    async def predict(request: PredictRequest) -> Response:
        """The best labels of each text."""
        if request.shares and len(request.texts) != 1:
            raise Refusal(422, "shares are given for one text at a time")
        until = service.deadline()
        ranking = await service.rank(request.texts, request.k, until)
        if (precision := request.precision) is not None:
            ranking = keep_above(ranking, await service.thresholds(precision, request.k, until), engine.frequencies)
        rows = service.rows(ranking, request.min_score)
        splits: list[Split] | None = None
        if request.shares and rows[0]:
            splits = await service.call(lambda: engine.shares(request.texts[0], [row for row, _ in rows[0]]), until)
        return reply({"results": [{"labels": [_label(service, one) for one in found]} for found in rows]}, splits)

    @router.post("/explain", response_model=ExplainResponse)
    async def explain(request: ExplainRequest) -> Response:
        """What is behind the score of a label."""
        row, until = None if request.label is None else service.find(request.label), service.deadline()
        found = await service.call(lambda: engine.explain(request.text, row, request.top), until)
        if found is not None:
            return reply(service.explanation(found))
        row, score, place = await service.call(lambda: engine.place(request.text, row), until)
        if row is None:
            raise Refusal(404, "no label was found for this text: name one")
        known = ExplainResponse(**service.label(row), score=score, rank=place, note=engine.why_not)
        return reply(known.model_dump())

    @router.get("/labels/{label:path}", response_model=LabelResponse)
    async def label(label: str) -> Response:
        """A label by id or text, and what is around it in the label graph."""
        row = service.find(label)
        return reply(service.card(await service.call(lambda: engine.card(row), service.deadline())))

    @router.get("/model", response_model=ModelResponse)
    async def model() -> Response:
        """The model that is served."""
        if not service.ready:
            raise not_ready()
        limits = {"body": service.settings.limits.body, "texts": TEXTS, "chars": CHARS, "k": K}
        return reply({"name": service.settings.name, **engine.describe(), "limits": limits})

    return router


def reply(value: dict[str, Any] | list[Any], splits: list[Split] | None = None) -> Response:
    """Plain data as JSON; shares are added to the labels of the first result."""
    if splits is not None and isinstance(value, dict):
        for one, split in zip(value["results"][0]["labels"], splits, strict=True):
            one["shares"] = dataclasses.asdict(split)
    return Response(json.dumps(value), media_type="application/json")


def _label(service: Service, found: tuple[int, float]) -> dict[str, Any]:
    return {**service.label(found[0]), "score": found[1]}
