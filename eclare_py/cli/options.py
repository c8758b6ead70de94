"""Options that several commands share."""

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
