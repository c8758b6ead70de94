"""The command line, `eclare`: data, train, predict, evaluate, compare, explain, graph, inspect."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line; the entry point of the installed script."""
    # torch and numba each keep threads of their own, which by default wait for work by spinning: while one computes,
    # the other's threads take its cores. Sleeping, they leave a training of `default` a tenth less processor time.
    # The libraries read this when they load, so it has to stand here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from eclare_py.cli.app import app

    app(prog_name="eclare")
