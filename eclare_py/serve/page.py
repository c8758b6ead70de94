"""The web page: a few files of the package, read once, under names that are fixed: no path comes from a request."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def routes() -> APIRouter:
    """`/` and `/static/NAME`."""
    router = APIRouter(include_in_schema=False)
    for entry in sorted(files("eclare_py.serve").joinpath("static").iterdir(), key=lambda one: one.name):
        kind = _TYPES.get("." + entry.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if entry.name == "index.html" else f"/static/{entry.name}"
            _add(router, path, entry.read_bytes(), f"{kind}; charset=utf-8")
    return router


def _add(router: APIRouter, path: str, content: bytes, kind: str) -> None:
    # Browsers keep a file but ask whether it is still the same, so that a new version shows at once.
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    router.add_api_route(path, serve, methods=["GET"], name=path)
