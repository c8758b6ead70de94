"""The root command: sub-commands, global options, and what an error looks like."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from eclare_py import __version__
from eclare_py.cli import compare, data, evaluate, explain, finetune, graph, inspect, labels, predict, serve, train
from eclare_py.cli.console import errors
from eclare_py.cli.work import INTERRUPTED
from eclare_py.errors import EclareError

_TOO_LARGE = (
    "`eclare inspect DATA --estimate` tells what a training takes; `--spool FOLDER` keeps texts and vectors on disk, "
    "`--set document.dim=64` makes vectors shorter"
)


class ErrorGroup(TyperGroup):
    """Turns expected failures into one line on stderr and an exit code, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except (EclareError, OSError, MemoryError, KeyboardInterrupt) as error:
            if ctx.params.get("debug") or os.environ.get("ECLARE_DEBUG"):
                raise
            if isinstance(error, BrokenPipeError):
                raise  # the reader of our output has had enough: nothing to tell
            if isinstance(error, KeyboardInterrupt):
                errors.print("interrupted", markup=False)
                ctx.exit(INTERRUPTED)
            said = f"{str(error) or 'out of memory'}. {_TOO_LARGE}" if isinstance(error, MemoryError) else error
            errors.print(f"error: {said}", markup=False, highlight=False, soft_wrap=True)
            ctx.exit(getattr(error, "exit_code", 1))


app = typer.Typer(
    cls=ErrorGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eclare_py {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with every error (or ECLARE_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Tag short texts with their most relevant labels out of very many, most of them rare.

    \b
    eclare data build debian-related --out data/debian
    eclare train default --data data/debian --out models/debian
    eclare finetune models/debian --data data/new --replay data/debian --out models/debian2
    eclare evaluate models/debian --data data/debian --json result.json
    eclare compare result.json other.json
    eclare compare base-0.json base-1.json other-0.json other-1.json
    eclare explain models/debian --text "tool to edit audio tags"
    eclare graph models/debian --html graph.html
    eclare serve models/debian

    Exit codes: 0 done, 1 the data, the model, the training or the disk is at fault, 2 the call is, 130 interrupted.
    """


app.add_typer(data.app, name="data")
app.add_typer(labels.app, name="labels")
app.command("train")(train.train)
app.command("finetune")(finetune.finetune)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("explain")(explain.explain)
app.command("graph")(graph.graph)
app.command("inspect")(inspect.inspect)
app.command("serve")(serve.serve)
