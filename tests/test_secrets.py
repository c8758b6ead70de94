"""Tokens and passwords are in no log, answer, metric, error or file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub.errors import HfHubHTTPError
from typer.testing import CliRunner

from eclare_py import HubClassifier
from eclare_py.cli.app import app
from eclare_py.errors import UsageError
from eclare_py.serve.settings import Settings
from eclare_py.train.tracking import MlflowTracker
from eclare_py.train.tracking.tracker import redacted
from tests.hub.test_hub import COMMIT, hub, model  # noqa: F401 - fixtures
from tests.serve.live import Live, serving

TOKEN = "f00dbabe-only-here-7d1c"  # noqa: S105
GUESS = "deadbeef-a-guess-which-is-wrong"
ROUTES = ("/", "/healthz", "/metrics", "/readyz", "/v1/model", "/v1/projects", "/v1/labels/x", "/nothing")


def everything_said(live: Live, **headers: str) -> str:
    """All that the server answers, headers too."""
    replies = [live.get(path, **headers) for path in ROUTES]
    replies += [live.post("/v1/predict", body, **headers) for body in ({"texts": ["some words"]}, {"texts": 3}, [])]
    replies.append(live.ask("POST", "/v1/predict", b"{" * 1000, Content_Type="application/json", **headers))
    said = " ".join(f"{reply.status} {reply.headers} {reply.body!r}" for reply in replies)
    assert "401" in said or "'texts'" in said or "labels" in said
    return said


def test_the_server_never_says_the_token(tiny: Any, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    with caplog.at_level(logging.DEBUG), serving(tiny.classifier, token=TOKEN) as live:
        said = everything_said(live, Authorization=f"Bearer {TOKEN}")
        said += everything_said(live, Authorization=f"Bearer {GUESS}") + everything_said(live)
        broken = f"GET /v1/model HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nbroken\r\n\r\n"
        said += repr(live.raw(broken.encode()))
    said += caplog.text + "".join(capfd.readouterr())
    assert "eclare_texts_total" in said  # the metrics were read
    assert TOKEN not in said and GUESS not in said


def test_settings_do_not_show_it() -> None:
    assert TOKEN not in repr(Settings(token=TOKEN))
    with pytest.raises(UsageError) as caught:
        Settings(token="hush hush hush hush")  # noqa: S106
    assert "hush" not in str(caught.value)


def test_the_command_line_does_not_show_it(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("eclare_py.serve.run.serve", lambda app, settings, listening, **_: served.append(settings))
    monkeypatch.setenv("ECLARE_TOKEN", TOKEN)
    result = CliRunner().invoke(app, ["serve", str(tiny.model), "--port", "0"])
    assert result.exit_code == 0 and "serving" in result.output and TOKEN not in result.output
    assert [settings.token for settings in served] == [TOKEN]


def test_a_bad_token_file_is_told_without_its_content(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("hush hush hush hush\n")
    result = CliRunner().invoke(app, ["serve", str(tiny.model), "--token-file", str(tmp_path / "token.txt")])
    assert result.exit_code == 2 and "token" in result.output and "hush" not in result.output


def test_the_hub_token_is_in_no_file_and_no_error(
    hub: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, capfd: Any  # noqa: F811
) -> None:
    with caplog.at_level(logging.DEBUG):
        fetched = HubClassifier.from_pretrained("you/tiny", revision=COMMIT, token=TOKEN)
        fetched.save_pretrained(tmp_path / "again")

        def refuse(*arguments: Any, **settings: Any) -> str:
            raise HfHubHTTPError("401 Client Error", response=requests.Response())

        monkeypatch.setattr("eclare_py.hub.hf_hub_download", refuse)
        with pytest.raises(HfHubHTTPError) as caught:
            HubClassifier.from_pretrained("you/tiny", revision=COMMIT, token=TOKEN)
    files = [path.read_bytes() for path in (tmp_path / "again").rglob("*") if path.is_file()]
    assert len(files) > 5 and not any(TOKEN.encode() in content for content in files)
    assert TOKEN not in str(caught.value) + caplog.text + "".join(capfd.readouterr())


def test_passwords_in_addresses_are_not_shown() -> None:
    assert redacted("MLflow refuses https://me:pass@host/x: no") == "MLflow refuses https://***@host/x: no"
    assert redacted("sqlite:///ml.db and a@b.org") == "sqlite:///ml.db and a@b.org"
    with pytest.raises(UsageError, match=r"//\*\*\*@") as caught:
        MlflowTracker("postgresql://me:hushhush@127.0.0.1:9/db")
    assert "hushhush" not in str(caught.value)
