"""Who may ask: who has the token, or without one this machine; and headers that keep the page to itself."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclare_py.serve.problems import problem
from eclare_py.serve.settings import Settings

_OPEN = "/healthz"  # what a load balancer asks without a token
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (  # as ASGI has them, as every answer gets them
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")


class Guard:
    """ASGI middleware that lets in who may ask.

    With a token: as `Authorization: Bearer TOKEN`, or as the password of HTTP Basic, which browsers and
    `http://user:TOKEN@host/` can do. Without: the Host header must be a name of this machine, as otherwise a web page
    could point its own name at 127.0.0.1 and read the answers (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = None if settings.token is None else settings.token.encode()
        self._names = {"localhost", "127.0.0.1", "::1", settings.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = None
        if scope["path"] != _OPEN:
            refused = self._refusal(headers)
        if refused is None:
            await self._app(scope, receive, _with_headers(send))
            return
        await refused(scope, receive, _with_headers(send))

    def _refusal(self, headers: Headers) -> ASGIApp | None:
        if self._token is None:
            if _host(headers.get("host", "")) in self._names:
                return None
            detail = "the Host header is no name of this machine; to be reached by another name start with a token"
            return problem(421, detail)
        # Compared in constant time, so that the time to an answer does not tell how much of a guess was right.
        if hmac.compare_digest(_shown(headers.get("authorization", "")), self._token):
            return None
        challenge = {"WWW-Authenticate": 'Basic realm="eclare", charset="UTF-8"'}
        return problem(401, "a token is needed: send Authorization: Bearer TOKEN", challenge)


def _host(value: str) -> str:
    """The name in a Host header, without port and brackets."""
    name = value.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


def _shown(header: str) -> bytes:
    """The token of an Authorization header; empty where there is none."""
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value.encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.encode("ascii"), validate=True).partition(b":")[2]
        except (binascii.Error, UnicodeEncodeError):
            return b""
    return b""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message["headers"])
            kept = any(name == _NOT_KEPT[0] for name, _ in own)
            message["headers"] = [*own, *_HEADERS, *(() if kept else (_NOT_KEPT,))]
        await send(message)

    return sending
