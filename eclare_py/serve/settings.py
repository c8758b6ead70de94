"""What the server allows, and to whom."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from eclare_py.errors import UsageError

# Of a request, the same for every server: its interface is described by them.
TEXTS, CHARS, K = 64, 20_000, 100  # texts, characters of each, labels per text
_LEAST_TOKEN = 16  # characters; shorter ones can be guessed


@dataclass(frozen=True)
class Limits:
    """Bounds of one request and of all together.

    Attributes:
        body: Bytes of a request's body.
        queue: Texts that may wait for the model; more are refused with 429.
        batch: Texts ranked at once.
        timeout: Seconds until a request is given up with 503.
        held: Bytes of bodies held at once, of all requests.
        connections: Open connections; more are refused with 503.
    """

    body: int = 1 << 20
    queue: int = 256
    batch: int = 64
    timeout: float = 10.0
    held: int = 32 << 20
    connections: int = 256


@dataclass(frozen=True)
class Settings:
    """Settings of a server.

    Attributes:
        host: Address it listens on.
        token: What a client must show, or None: only for an address that no other machine reaches.
        name: Id of the one project in Annif's interface.
        language: Language of the labels as that interface tells it; `und` where it is not known.
        limits: Bounds.
        threads: Threads of the compiled code that ranks.
    """

    host: str = "127.0.0.1"
    token: str | None = field(default=None, repr=False)  # a log may show the settings
    name: str = "model"
    language: str = "und"
    limits: Limits = field(default_factory=Limits)
    threads: int = 1

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"--host {self.host} can be reached from other machines, so a token is needed: write one to a file "
                "(openssl rand -hex 24 > token.txt) and pass --token-file token.txt"
            )
        if self.token is not None and not (len(self.token) >= _LEAST_TOKEN and _is_plain(self.token)):
            raise UsageError(f"the token must be at least {_LEAST_TOKEN} visible ASCII characters without spaces")


def is_loopback(host: str) -> bool:
    """Whether an address is that of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain(token: str) -> bool:
    return all("!" <= character <= "~" for character in token)
