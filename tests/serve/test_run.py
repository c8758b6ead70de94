"""The end of a server: what is on its way is answered."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eclare_py.serve import run
from eclare_py.serve.settings import Settings


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await Response(b"here")(scope, receive, send)


def test_a_connection_without_a_request_yet_is_served_when_the_server_ends(monkeypatch: Any) -> None:
    monkeypatch.setattr(run, "_LAST_CALL", (600, 0.05))
    ending = threading.Event()
    shutdown = run._Server.shutdown

    async def told(self: run._Server, sockets: Any = None) -> None:
        ending.set()
        await shutdown(self, sockets)

    monkeypatch.setattr(run._Server, "shutdown", told)
    listening = run.listen("127.0.0.1", 0)
    port, server = listening.getsockname()[1], run.make_server(app, Settings())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(2)]
    connections[0].connect()
    connections[1].request("GET", "/")
    assert connections[1].getresponse().read() == b"here"
    server.should_exit = True
    assert ending.wait(60)
    for connection in connections:  # one that was opened and never used, one that is used again
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"here"
    server.force_exit = True
    thread.join(60)
    assert not thread.is_alive()
    for connection in connections:
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()
