"""`eclare serve` as a process: it listens, answers, and ends in order."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from eclare_py.cli.app import app
from tests.serve.live import Live
from tests.tiny import ROOT, python


def test_sigterm_lets_requests_finish(tiny: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eclare_py.cli", "serve", str(tiny.model), "--port", "0", "--language", "en"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])  # type: ignore[index]
        live, deadline = Live(port), time.monotonic() + 300
        while live.get("/readyz").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        before = ranked(live)
        asking = [ask(port, ["a rather long text " * 500] * 64) for _ in range(3)]
        while ranked(live) == before:
            assert time.monotonic() < deadline
        # Of one more it has seen nothing yet when it is told to end.
        process.send_signal(signal.SIGSTOP)
        asking.append(ask(port, ["a text"]))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert [connection.getresponse().status for connection in asking] == [200] * 4
        for connection in asking:
            connection.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == "stopped\n"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def ask(port: int, texts: list[str]) -> http.client.HTTPConnection:
    """A connection on which a request was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body, headers = json.dumps({"texts": texts, "k": 100}), {"Content-Type": "application/json"}
    connection.request("POST", "/v1/predict", body, headers)
    return connection


def ranked(live: Live) -> str:
    """Texts ranked so far."""
    return re.search(r"^eclare_texts_total (\d+)", live.get("/metrics").body.decode(), re.MULTILINE)[1]  # type: ignore[index]


def refuse(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", *map(str, words)])
    return result.exit_code, result.output


def test_bad_calls_are_told_before_anything_listens(tiny: Any, tmp_path: Path) -> None:
    assert refuse(tiny.model, "--host", "0.0.0.0")[0] == 2
    (tmp_path / "token.txt").write_text("short\n")
    code, output = refuse(tiny.model, "--token-file", tmp_path / "token.txt")
    assert code == 2 and "16" in output
    assert refuse(tmp_path / "nothing")[0] == 1
    code, output = refuse(tiny.model, "--token-file", tmp_path / "none.txt")
    assert code == 2 and "none.txt" in output


def test_without_the_extra_it_says_what_to_install(tiny: Any, tmp_path: Path) -> None:
    words = ["eclare", "serve", str(tiny.model)]
    code = f"import sys; sys.modules['fastapi'] = None; sys.argv = {words}; from eclare_py.cli import main; main()"
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 2 and "pip install 'eclare_py[serve]'" in done.stderr


def test_a_port_that_is_taken_is_told(tiny: Any, live: Live) -> None:
    code, output = refuse(tiny.model, "--port", str(live.port))
    assert code == 2 and "is taken" in output
