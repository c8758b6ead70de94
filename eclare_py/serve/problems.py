"""What a refusal looks like: `application/problem+json` (RFC 9457), as in Annif's interface; it repeats no text."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

RETRY_SECONDS = 1


class Refusal(Exception):
    """A request that is not answered.

    Args:
        status: HTTP status.
        detail: What is wrong and the mend, in words.
        headers: Further headers.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}

    def response(self) -> Response:
        """As a response."""
        return problem(self.status, self.detail, self.headers)


def busy(detail: str) -> Refusal:
    """429: the client may come again soon."""
    return Refusal(429, detail, {"Retry-After": str(RETRY_SECONDS)})


def not_ready() -> Refusal:
    """503: the model is still warming up."""
    return Refusal(503, "the model is not ready yet; try again soon", {"Retry-After": "2"})


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem as a response."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return Response(
        json.dumps({**body, "detail": detail}), status, headers=headers, media_type="application/problem+json"
    )
