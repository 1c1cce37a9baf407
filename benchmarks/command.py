"""What the benchmarks' commands share: how one is run, and how it prints what it measured."""

import sys
from collections.abc import Callable, Iterable, Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.machine import describe_machine
from records.errors import BellwetherError

_WIDTH = 140


def run_command(main: Callable[..., None]) -> None:
    """Run `main` with the program's arguments; exit with 1 where it cannot do what they ask."""
    try:
        typer.run(main)
    except BellwetherError as error:
        Console(width=120).print(f"[red]{escape(str(error))}[/]")
        sys.exit(1)


def print_table(
    title: str, columns: Sequence[str], measure: Callable[[], Iterable[Sequence[str]]]
) -> None:
    """Print the machine, measure, and print what was found.

    Args:
        title: Of the table: what the figures are.
        columns: Their names.
        measure: Does the work and returns the rows, a text for each column.
    """
    console = Console(width=_WIDTH)
    console.print(describe_machine())
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    with console.status("In process …"):
        for row in measure():
            table.add_row(*row)
    console.print(table)
