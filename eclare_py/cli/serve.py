"""`eclare serve`: a model behind HTTP, with a web page."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from eclare_py.cli.console import say
from eclare_py.cli.options import TailBoost
from eclare_py.errors import UsageError


def serve(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="File with the token clients must show [ECLARE_TOKEN].", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Project id in Annif's interface [the folder's].", show_default=False)
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Language of the labels, e.g. en.")] = "und",
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds until a request is given up.")] = 10.0,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads that rank [half the cores].", show_default=False)
    ] = None,
    tail_boost: TailBoost = None,
) -> None:
    """Serve a model: a web page at /, JSON under /v1/, and the REST interface of Annif.

    Listens on this machine only. Any other --host needs a token of at least 16 characters, which clients send as
    "Authorization: Bearer TOKEN" or as the password of HTTP Basic (a browser asks for it; any user name will do); use
    a proxy with TLS in front of it. Texts are never logged or kept. SIGTERM ends it when all requests are answered.

    \b
    eclare serve models/debian
    curl -s localhost:8000/v1/predict -H "Content-Type: application/json" -d '{"texts": ["edit audio tags"], "k": 5}'
    eclare serve models/debian --host 0.0.0.0 --token-file token.txt
    """
    try:
        from eclare_py.serve.app import create_app
        from eclare_py.serve.run import listen
        from eclare_py.serve.run import serve as run
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "uvicorn", "starlette", "pydantic"):
            raise
        raise UsageError("eclare serve needs FastAPI and uvicorn: pip install 'eclare_py[serve]'") from error
    from eclare_py.estimator import EclareClassifier
    from eclare_py.serve.settings import Limits, Settings

    settings = Settings(
        host=host, token=_token(token_file), name=_slug(name or model.resolve().name), language=language,
        limits=Limits(timeout=timeout), threads=threads or max(1, (os.cpu_count() or 2) // 2),
    )  # fmt: skip
    classifier = EclareClassifier.load(model, tail_boost=tail_boost)
    listening = listen(host, port)
    saved = datetime.fromtimestamp((model / "manifest.json").stat().st_mtime, UTC)
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {model} at http://{shown}:{listening.getsockname()[1]}/ (Ctrl-C ends it)")
    run(create_app(classifier, settings, modified=saved), settings, listening, ended=lambda: say("stopped"))


def _token(path: Path | None) -> str | None:
    """The token of a file or the environment: never an argument, which other users of the machine could read."""
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8"
            raise UsageError(
                f"--token-file {path} cannot be read ({why}): make one with openssl rand -hex 24 > token.txt"
            ) from None
    return os.environ.get("ECLARE_TOKEN") or None


def _slug(name: str) -> str:
    """A name as an id of a project: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"
