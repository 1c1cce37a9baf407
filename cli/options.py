"""Command-line options that several commands share."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from records.errors import CohortError
from records.tables.options import ReadOptions

Data = Annotated[
    str,
    typer.Option(
        help="[bold]simulated[/], [bold]semesters[/], [bold]oulad[/], [bold]midfield[/], or the "
        "path of a table (CSV, Excel, Parquet or Arrow; one row per record and period).",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the official files, for oulad and midfield.", file_okay=False),
]
Students = Annotated[int, typer.Option(help="How many students to simulate.", min=1)]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**32 - 1)]
OnErrorOption = Annotated[
    str,
    typer.Option(
        "--on-error",
        help="What bad rows of a table lead to: [bold]fail[/] shows all of them, "
        "[bold]reject-rows[/] sets them aside with the reasons and goes on.",
    ),
]
InsistOption = Annotated[
    bool,
    typer.Option(
        "--insist",
        help="Go on even where setting rows aside changes the share at risk notably.",
    ),
]
ReferenceOption = Annotated[
    str,
    typer.Option(
        help="What relative features are compared with where they are absent: [bold]bundle[/], "
        "[bold]batch[/] (the students of the table itself), or the file that `bellwether "
        "reference` wrote.",
    ),
]
ContractOption = Annotated[
    str | None,
    typer.Option(
        "--contract",
        help="What a table's columns mean: the name of a shipped contract or a .toml file. "
        "Named data sets bring their own.",
    ),
]
Outcome = Annotated[
    str | None,
    typer.Option(
        help="MIDFIELD's outcome: [bold]low_gpa[/] next term (the default) or "
        "[bold]no_degree[/] in six years; the latter wants a policy of its own."
    ),
]
Workers = Annotated[int, typer.Option(help="Models fitted at the same time.", min=1)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
FinishedRun = Annotated[
    Path, typer.Argument(help="Run folder, made by `bellwether train`.", file_okay=False)
]


# Options of every command that reads a table; each is a parameter of `read_options`.
_READ_OPTIONS: dict[str, tuple[Any, Any]] = {
    "missing": (
        Annotated[
            list[str] | None,
            typer.Option(
                help="Text that stands for a missing value, such as [bold]-[/] or [bold]N/A[/]; "
                "repeat it for several. The contract may name them, too.",
            ),
        ],
        None,
    ),
    "decimal": (
        Annotated[str, typer.Option(help="Decimal sign of numbers: [bold].[/] or [bold],[/].")],
        ".",
    ),
    "thousands": (
        Annotated[str, typer.Option(help="What separates thousands, such as [bold],[/].")],
        "",
    ),
    "percent": (
        Annotated[
            str,
            typer.Option(
                help="How 78% is read: [bold]refuse[/], [bold]number[/] (78) or [bold]share[/] "
                "(0.78).",
            ),
        ],
        "refuse",
    ),
    "digits": (
        Annotated[
            bool,
            typer.Option("--digits", help="Read digits of other scripts, such as Arabic ones."),
        ],
        False,
    ),
    "encoding": (
        Annotated[str, typer.Option(help="Encoding of a CSV file, such as [bold]cp1252[/].")],
        "utf-8",
    ),
    "delimiter": (
        Annotated[
            str | None,
            typer.Option(help="Between the cells of a CSV file [default: found in its header]."),
        ],
        None,
    ),
}


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how the text of a table is to be understood.

    Args:
        command: Has a parameter `options`, which receives them as `ReadOptions`.
    """

    @wraps(command)
    def wrapped(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in _READ_OPTIONS}
        command(**given, options=read_options(**chosen))

    signature = inspect.signature(command, eval_str=True)
    own = [it for it in signature.parameters.values() if it.name != "options"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _READ_OPTIONS.items()
    ]
    parameters = [it.replace(kind=inspect.Parameter.KEYWORD_ONLY) for it in own] + shared
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {it.name: it.annotation for it in parameters} | {"return": None}
    return wrapped


def read_options(
    *,
    missing: list[str] | None,
    decimal: str,
    thousands: str,
    percent: str,
    digits: bool,
    encoding: str,
    delimiter: str | None,
) -> ReadOptions:
    """Gather the options that say how the text of a table is to be understood.

    Raises:
        CohortError: An option has a value that it cannot have.
    """
    if decimal not in {".", ","}:
        raise CohortError("--decimal is '.' or ','.")
    if percent not in {"refuse", "number", "share"}:
        raise CohortError("--percent is refuse, number or share.")
    if thousands == decimal:
        raise CohortError("--thousands and --decimal must differ.")
    if delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if len(delimiter) != 1:
            raise CohortError("--delimiter is one character, or tab.")
    return ReadOptions(
        missing=tuple(missing or ()),
        decimal=cast("Any", decimal),
        thousands=thousands,
        percent=cast("Any", percent),
        digits=digits,
        encoding=encoding,
        delimiter=delimiter,
    )
