"""The command line as tests call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from eclare_py.cli.app import app


def eclare(*arguments: Any, text: str | bytes = "", code: int = 0) -> Result:
    """Run the command line in this process and check its exit code."""
    result = CliRunner().invoke(app, [str(one) for one in arguments], input=text)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def train_and_ask(recipe: str, data: Path, folder: Path, *words: str) -> Path:
    """Train a recipe with some options, then predict, evaluate and inspect; returns the model."""
    model, texts = folder / "model", folder / "texts.txt"
    assert "model written" in eclare("train", recipe, "--data", data, "--out", model, *words).stderr
    texts.write_text("some text\n")
    for command in (["predict", model, "--input", texts], ["evaluate", model, "--data", data], ["inspect", model]):
        assert eclare(*command).stdout
    return model


def error_of(result: Result) -> str:
    """The message of a failed call: one line, no traceback."""
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.output
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")
