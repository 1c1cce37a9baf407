"""Run a benchmark's command: what is wrong with what it was given is told in one line."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console
from rich.markup import escape

from records.errors import BellwetherError


def run_command(main: Callable[..., None]) -> None:
    """Run `main` with the program's arguments; exit with 1 where it cannot do what they ask."""
    try:
        typer.run(main)
    except BellwetherError as error:
        Console(width=120).print(f"[red]{escape(str(error))}[/]")
        sys.exit(1)
