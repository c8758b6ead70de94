"""Listening: a socket, uvicorn, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from threadpoolctl import threadpool_limits

from eclare_py.errors import UsageError
from eclare_py.serve.protocol import patient
from eclare_py.serve.settings import Settings

_GRACE = 5  # seconds beyond the deadline of a request
_BACKLOG = 128
_LAST_CALL = 10, 0.05  # rounds and the seconds of each


def listen(host: str, port: int) -> socket.socket:
    """A socket; port 0 takes a free one.

    Raises:
        UsageError: The address is taken or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} of {host} is taken: choose another with --port") from error
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


class _Server(uvicorn.Server):
    """Takes in what is on its way before it closes.

    uvicorn alone resets a connection that is open and whose request it has not read yet.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End. In rounds, not in one sleep: in each the loop takes what came, however late the machine ran it."""
        rounds, seconds = _LAST_CALL
        for _ in range(rounds):
            if self.force_exit:
                break
            await asyncio.sleep(seconds)
        await super().shutdown(sockets)


def make_server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    """A uvicorn server with the bounds of the settings; no access log, no header that tells what it is."""
    limits = settings.limits
    config = uvicorn.Config(
        app, http=patient(limits.timeout), ws="none", lifespan="on", log_level="warning",
        access_log=False, server_header=False, proxy_headers=False, limit_concurrency=limits.connections,
        timeout_keep_alive=30, timeout_graceful_shutdown=int(limits.timeout) + _GRACE, backlog=_BACKLOG,
    )  # fmt: skip
    return _Server(config)


def serve(app: ASGIApp, settings: Settings, listening: socket.socket, *, ended: Callable[[], None]) -> None:
    """Answer until SIGTERM or Ctrl-C, and half a second more; requests that were taken get their answers.

    Args:
        app: The application.
        settings: Its settings.
        listening: Where.
        ended: Called at the end.
    """
    threadpool_limits(settings.threads, user_api="blas")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would print what a broken request was about
    # uvicorn raises the signal again once it is done: with these handlers the exit code stays 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    make_server(app, settings).run(sockets=[listening])
    ended()
