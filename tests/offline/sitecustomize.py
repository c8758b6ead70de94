"""No network but the loopback: for the suite, and for every Python that it starts.

A `sitecustomize.py` on PYTHONPATH is imported at the start of an interpreter; `tests/conftest.py` puts this folder
there. An attempt fails as if there were no network, and is written down, as code may take the failure for granted: then
the test that made it fails.
"""

from __future__ import annotations

import os
import socket
from typing import Any

ATTEMPTS = "ECLARE_TESTS_NETWORK_ATTEMPTS"  # file that attempts are written to


class NetworkBlocked(ConnectionRefusedError):
    """The suite has no network."""


def is_local(host: Any) -> bool:
    """Whether packets to this host never leave the machine."""
    name = host.decode() if isinstance(host, bytes) else host
    return name in (None, "", "localhost", "::1", "0.0.0.0", "::") or str(name).startswith("127.")


def refuse(what: str) -> NetworkBlocked:
    """Write an attempt down."""
    if ATTEMPTS in os.environ:
        with open(os.environ[ATTEMPTS], "a", encoding="utf-8") as file:
            file.write(f"{what}\n")
    return NetworkBlocked(f"the tests have no network: {what}")


def install() -> None:
    """Guard the sockets of this process."""
    connect, connect_ex, sendto, resolve = (
        socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto, socket.getaddrinfo,
    )  # fmt: skip
    own = {"localhost", socket.gethostname()}

    def allowed(one: socket.socket, address: Any) -> bool:
        return one.family not in (socket.AF_INET, socket.AF_INET6) or is_local(address[0]) or address[0] in own

    def guarded_connect(self: socket.socket, address: Any) -> None:
        # A datagram socket sends nothing when it is connected: so programs ask for the address of their machine.
        if self.type != socket.SOCK_DGRAM and not allowed(self, address):
            raise refuse(f"connect to {address}")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.type != socket.SOCK_DGRAM and not allowed(self, address):
            raise refuse(f"connect to {address}")
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        if not allowed(self, rest[-1]):
            raise refuse(f"datagram to {rest[-1]}")
        return sendto(self, data, *rest)

    def guarded_resolve(host: Any, *arguments: Any, **named: Any) -> Any:
        if is_local(host) or host in own or _is_number(host):
            found = resolve(host, *arguments, **named)
            own.update(str(entry[4][0]) for entry in found if host in own)
            return found
        raise refuse(f"look-up of {host}")

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = guarded_sendto  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = guarded_resolve


def _is_number(host: Any) -> bool:
    """Whether this is an address already: looking it up asks nobody, and connecting is guarded."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            return True
        except (OSError, TypeError):
            continue
    return False


if __name__ == "sitecustomize":
    install()
