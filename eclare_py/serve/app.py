"""The application: routes, and the layers around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from eclare_py import __version__
from eclare_py.estimator import EclareClassifier
from eclare_py.serve import annif, native, page
from eclare_py.serve.body import BodyLimit
from eclare_py.serve.engine import Engine
from eclare_py.serve.guard import Guard
from eclare_py.serve.metrics import CONTENT_TYPE
from eclare_py.serve.problems import Refusal, not_ready, problem
from eclare_py.serve.service import Service
from eclare_py.serve.settings import Settings
from eclare_py.serve.watch import Watch

_TOLD = 5  # faults of a request that are told


def create_app(
    classifier: EclareClassifier, settings: Settings | None = None, *, modified: datetime | None = None
) -> ASGIApp:
    """The server over a trained model, for uvicorn or any other ASGI server.

    Args:
        classifier: With a trained model.
        settings: Who may ask and how much.
        modified: When the model was saved.
    """
    settings = settings or Settings()
    service = Service(Engine(classifier), settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    # No pages of documentation: they would fetch scripts from elsewhere. /openapi.json stays.
    app = FastAPI(title="eclare_py", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(native.routes(service))
    app.include_router(annif.routes(service, modified))
    app.include_router(page.routes())
    _add_probes(app, service)
    _add_handlers(app)
    return Watch(Guard(BodyLimit(app, settings.limits), settings), service.metrics)


def _add_probes(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["probes"])
    async def healthz() -> dict[str, str]:
        """Whether the process lives; needs no token."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["probes"])
    async def readyz() -> dict[str, str]:
        """Whether it answers: 503 until the model is warm."""
        if not service.ready:
            raise not_ready()
        return {"status": "ready"}

    @app.get("/metrics", tags=["probes"])
    async def metrics() -> Response:
        """Counters in Prometheus' text format."""
        return Response(service.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


def _add_handlers(app: FastAPI) -> None:
    """All refusals have one form, and none repeats what was sent."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return error.response()

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [f"{_path(one['loc'])}: {one['msg']}" for one in error.errors()[:_TOLD]]
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":  # not read as JSON then, whatever it holds
            faults.insert(0, "send the body with the header Content-Type: application/json")
        return problem(422, "; ".join(faults))

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)


def _path(place: tuple[object, ...]) -> str:
    """`body.texts.3`; a key may be one that the client made up, so it is cut."""
    return ".".join(str(one)[:40] for one in place)
