"""A server in a thread of this process, on a free port, and a client without manners of its own."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from eclare_py.serve.app import create_app
from eclare_py.serve.run import listen, make_server
from eclare_py.serve.settings import Settings


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Live:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, value: Any, **headers: str) -> Reply:
        return self.ask("POST", path, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def raw(self, message: bytes) -> bytes:
        """Send bytes as they are, and read until the server closes or a second passes without anything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            received = b""
            try:
                connection.sendall(message)
                while part := connection.recv(65536):
                    received += part
            except (TimeoutError, ConnectionError):
                pass
            return received


@contextmanager
def running(app: ASGIApp, settings: Settings) -> Iterator[Live]:
    """Serve, ready to answer."""
    listening = listen("127.0.0.1", 0)
    server = make_server(app, settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    live = Live(listening.getsockname()[1])
    token = {} if settings.token is None else {"Authorization": f"Bearer {settings.token}"}
    try:
        deadline = time.monotonic() + 300  # compiling may take long on a busy machine
        while live.get("/readyz", **token).status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield live
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def serving(classifier: Any, **settings: Any) -> Iterator[Live]:
    """Serve a model."""
    chosen = Settings(name="tiny", language="en", **settings)
    with running(create_app(classifier, chosen), chosen) as live:
        yield live
