"""`bellwether models`: the registry."""

from typing import Annotated

import typer
from rich.table import Table

from cli.console import console


def models(
    details: Annotated[
        bool, typer.Option("--details", help="Also show every hyperparameter.")
    ] = False,
) -> None:
    """List every model: what can be trained, exported and served, and what it is compared with."""
    from training.model import TARGETS
    from training.registry import MODELS

    for target in TARGETS:
        table = Table("", "what it is", "from", "export", title=f"Models of the {target}")
        table.title_justify = "left"
        for (of, name), model in MODELS.items():
            if of != target:
                continue
            summary = model.summary
            if details:
                summary = "\n".join(
                    [summary, *(f"{key}: {value}" for key, value in model.hyperparameters.items())]
                )
            table.add_row(name, summary, model.source, "yes" if model.exportable else "")
        console.print(table)
    console.print(
        "Train with one: bellwether train --risk-model NAME --score-model NAME\n"
        "Put many side by side: bellwether compare --risk-models NAME,NAME,… --score-models NAME,…"
    )
