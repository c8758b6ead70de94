"""The outermost layer: counts requests, and turns what nobody expected into a 500 that says nothing of the text."""

from __future__ import annotations

import logging
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclare_py.serve.metrics import Metrics
from eclare_py.serve.problems import problem

log = logging.getLogger("eclare_py.serve")


class Watch:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 0, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            # Messages of errors may quote a text, so only the kind and the place are logged.
            log.error("%s at %s", type(error).__name__, _place(error))
            if status:
                raise ConnectionAbortedError from None  # half an answer is out: close the connection
            await problem(500, "this should not have happened; the log of the server says where")(
                scope, receive, sending
            )
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.add(route, str(status))
        self._metrics.seconds.observe(time.perf_counter() - begun, route)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-3:]))
