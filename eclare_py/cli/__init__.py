"""The command line, `eclare`: data, train, predict, evaluate, compare, explain, graph, inspect."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point of the installed script."""
    from eclare_py.cli.app import app

    app(prog_name="eclare")
