"""Closed by default: who may ask, and what the headers say."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from eclare_py.errors import UsageError
from eclare_py.serve.settings import Settings, is_loopback
from tests.serve.live import Live, serving

TOKEN = "only-for-this-test-42"
ROUTES = [
    ("GET", "/"), ("GET", "/static/app.js"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/metrics"),
    ("GET", "/readyz"), ("GET", "/v1/"), ("GET", "/v1/model"), ("GET", "/v1/projects"), ("GET", "/v1/labels/x"),
    ("POST", "/v1/predict"), ("POST", "/v1/explain"), ("POST", "/v1/projects/tiny/suggest"), ("GET", "/nothing"),
    ("OPTIONS", "/v1/predict"), ("GET", "//healthz"), ("GET", "/healthz/"),
]  # fmt: skip


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"any:{password}".encode()).decode()


@pytest.fixture(scope="module")
def closed(tiny: Any) -> Iterator[Live]:
    with serving(tiny.classifier, token=TOKEN) as one:
        yield one


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_needs_the_token(closed: Live, method: str, path: str) -> None:
    reply = closed.ask(method, path)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")
    assert closed.ask(method, path, Authorization=f"Bearer {TOKEN}").status != 401


def test_only_the_probe_of_life_needs_none(closed: Live) -> None:
    assert closed.get("/healthz").json == {"status": "alive"}


@pytest.mark.parametrize(
    "header",
    ["", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xe9", basic("x"), "Basic ???", "Basic"],
)
def test_a_wrong_token_is_refused(closed: Live, header: str) -> None:
    assert closed.get("/v1/model", Authorization=header).status == 401


def test_a_browser_gives_it_as_a_password(closed: Live) -> None:
    assert closed.get("/v1/model", Authorization=basic(TOKEN)).status == 200


def test_the_comparison_takes_constant_time() -> None:
    import ast
    import inspect

    from eclare_py.serve import guard

    calls = [n.func for n in ast.walk(ast.parse(inspect.getsource(guard))) if isinstance(n, ast.Call)]
    assert any(isinstance(f, ast.Attribute) and f.attr == "compare_digest" for f in calls)


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:1", 200), ("[::1]:80", 200), ("evil.example", 421), ("", 421)]
)
def test_without_a_token_only_names_of_this_machine(live: Live, host: str, status: int) -> None:
    message = f"GET /v1/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert live.raw(message).startswith(f"HTTP/1.1 {status} ".encode())


def test_other_hosts_need_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(UsageError, match="token"):
            Settings(host=host)
        assert Settings(host=host, token=TOKEN).token == TOKEN
    for token in ("short", "with a space in it", "nicht-ascii-äöüäöü"):
        with pytest.raises(UsageError, match="at least 16"):
            Settings(token=token)
    assert Settings().host == "127.0.0.1"
    assert all(is_loopback(host) for host in ("127.0.0.2", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("10.0.0.1", "0.0.0.0", "x"))


def test_headers_keep_the_page_to_itself(live: Live) -> None:
    page = live.get("/")
    assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert live.get("/", If_None_Match=page.headers["etag"]).status == 304
    assert live.get("/v1/").headers["cache-control"] == "no-store"
    assert "server" not in page.headers
