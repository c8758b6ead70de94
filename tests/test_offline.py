"""The suite itself: nothing reaches the network, from this process or from one that it starts."""

from __future__ import annotations

import http.server
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from eclare_py.errors import ModelError
from eclare_py.features.model_folder import find_model
from tests.offline.sitecustomize import NetworkBlocked
from tests.tiny import python


@pytest.mark.reaches_out
@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_connections_to_elsewhere_are_refused(host: str, attempts: Path) -> None:
    with pytest.raises(NetworkBlocked, match="no network"):
        socket.create_connection((host, 80), timeout=1)
    assert host in attempts.read_text()


@pytest.mark.reaches_out
def test_datagrams_and_other_ways_are_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, pytest.raises(NetworkBlocked):
        one.sendto(b"x", ("192.0.2.1", 53))
    with socket.socket() as one, pytest.raises(NetworkBlocked):
        one.connect_ex(("192.0.2.1", 80))
    with pytest.raises(OSError, match="no network"):
        urllib.request.urlopen("http://example.org/", timeout=1)


@pytest.mark.reaches_out
def test_a_process_of_the_suite_is_guarded_too(tmp_path: Path) -> None:
    done = python("-c", "import urllib.request as u; u.urlopen('http://example.org/')", cwd=tmp_path)
    assert done.returncode == 1 and "the tests have no network: look-up of example.org" in done.stderr


@pytest.mark.reaches_out
def test_a_hub_model_is_asked_for_only_when_that_is_allowed() -> None:
    with pytest.raises(ModelError, match="no encoder 'nobody/nothing' on this machine"):
        find_model("nobody/nothing", local_files_only=False)


def test_a_hub_model_is_not_asked_for_by_itself() -> None:
    with pytest.raises(ModelError, match="no encoder 'nobody/nothing' on this machine"):
        find_model("nobody/nothing")


def test_the_loopback_is_open() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with socket.create_connection(("localhost", server.server_port), timeout=5) as one:
        one.sendall(b"HEAD /nothing HTTP/1.0\r\n\r\n")
        assert b"404" in one.recv(100)
    thread.join()
    server.server_close()
