"""Bodies are counted while they come in, whatever their headers say, and read whole before anything looks at them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclare_py.serve.problems import Refusal, busy
from eclare_py.serve.settings import Limits

_DRAINED = 8 << 20  # bytes of a refused body that are thrown away, so that who is still sending reads the answer
_DRAIN_SECONDS = 1.0
_DIGITS = 15  # of a length that is worth reading as a number


@dataclass
class _Body:
    """What has come of a body, and whether that is all."""

    content: bytearray = field(default_factory=bytearray)
    ended: bool = False


class BodyLimit:
    """ASGI middleware: 413 for a body that is too large, 408 for one that does not come, 429 for too many at once."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then hand it on in one piece."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body()
        try:
            if not await self._read(scope, receive, body):
                return  # the client has gone
        except Refusal as refusal:
            await self._refuse(refusal, body, scope, receive, send)
            return
        else:
            await self._app(scope, _replay(bytes(body.content), receive), send)
        finally:
            self.held -= len(body.content)

    async def _read(self, scope: Scope, receive: Receive, body: _Body) -> bool:
        """Fill the body; False where the client went away."""
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and (len(declared) > _DIGITS or int(declared) > self._limits.body):
            raise self._too_large()
        try:
            async with asyncio.timeout(self._limits.timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    chunk = message.get("body", b"")
                    self.held += len(chunk)
                    body.content += chunk
                    body.ended = not message.get("more_body", False)
                    if len(body.content) > self._limits.body:
                        raise self._too_large()
                    if self.held > self._limits.held:
                        raise busy("too many requests are being read; try again soon")
                    if body.ended:
                        return True
        except TimeoutError:
            raise Refusal(408, f"the body did not come within {self._limits.timeout:g} s") from None

    def _too_large(self) -> Refusal:
        return Refusal(413, f"a body may have {self._limits.body:,} bytes; send fewer texts at a time")

    async def _refuse(self, refusal: Refusal, body: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        response = refusal.response()
        response.headers["Connection"] = "close"
        # A client that waits for leave to send its body needs none of it to be read.
        waits = Headers(scope=scope).get("expect", "").lower() == "100-continue"
        if refusal.status == 413 and not body.ended and not waits:
            await _drain(receive)
        await response(scope, receive, send)


async def _drain(receive: Receive) -> None:
    """Throw away what comes, up to a bound."""
    dropped = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while dropped < _DRAINED:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the whole body once, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
