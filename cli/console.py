"""Where the command line prints, and how it shows progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()
errors = Console(stderr=True)

Report = Callable[[str, int, int], None]


@contextmanager
def progress() -> Iterator[Report]:
    """Show progress bars while the block runs.

    Yields:
        A callback `(stage, step, total)`; each new stage gets its own bar. On a terminal the bars
        move; elsewhere (a log file, CI) every stage is printed once.
    """
    bars = Progress(
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
    )
    tasks: dict[str, TaskID] = {}

    def report(stage: str, step: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
            if not errors.is_terminal:
                errors.print(f"{stage} …")
        bars.update(tasks[stage], completed=step, total=total)

    if errors.is_terminal:
        with bars:
            yield report
    else:
        yield report
