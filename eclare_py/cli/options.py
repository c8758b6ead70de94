"""Options that several commands share, and those of predict and evaluate whose calls would be too long with them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

TailBoost: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--tail-boost", help="Lift of rare labels instead of the recipe's: 0 none, 1 strong.", show_default=False
    ),
]
DropUnknown: TypeAlias = Annotated[
    bool, typer.Option("--drop-unknown", help="Leave out test pairs with labels that the model does not have.")
]
Engine: TypeAlias = Annotated[
    str, typer.Option("--engine", help="For shards: local, or ray: many processes or machines.")
]
Address: TypeAlias = Annotated[
    str | None,
    typer.Option("--address", help="Of a running Ray cluster, e.g. auto [one on this machine].", show_default=False),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Copies of the model on Ray [one a processor].", show_default=False),
]
Columns: TypeAlias = Annotated[
    str,
    typer.Option(
        "--text", metavar="COLUMN[,COLUMN]", show_default=False,
        help="Columns of a table, or keys of JSON, that are the text, as in data import.",
    ),
]  # fmt: skip
Frequencies: TypeAlias = Annotated[
    str,
    typer.Option(
        "--frequencies", help="Where label frequencies are counted: model, its training; data, their train split."
    ),
]
