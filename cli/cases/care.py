"""Commands that change or copy the store as a whole: migrate, erase, retention, backup, restore."""

from pathlib import Path
from typing import Annotated

import typer

from cli.cases.options import DatabaseOption, opened
from cli.console import console
from records.errors import BellwetherError


def migrate(database: DatabaseOption) -> None:
    """Create the tables, or bring them to the revision of this program."""
    from database.migrate import current_revision, upgrade

    with opened(database, is_new=True) as store:
        before = current_revision(store)
        upgrade(store)
        console.print(f"revision {before or 'none'} → {current_revision(store)}")


def erase(
    database: DatabaseOption,
    student: Annotated[int, typer.Argument(help="Number of the student, as `list` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a student for good; backups hold them until they age out."""
    from cases.upkeep.erase import erase as erase_student

    if not yes:
        typer.confirm(f"Erase student {student} for good?", abort=True)
    with opened(database) as store, store.write() as session:
        erase_student(session, student)
    console.print(f"Student {student} is erased.")


def retention(
    database: DatabaseOption,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="[bold]students=365[/], [bold]messages=180[/], [bold]imports=90[/], or "
            "[bold]students=never[/]; then nothing is applied.",
        ),
    ] = None,
) -> None:
    """Apply the rules of retention, or set them."""
    from cases.upkeep.retention import RetentionKind, apply_retention, set_retention
    from cases.upkeep.retention import retention as rules_in_force
    from database.base import utc_now

    kinds = ", ".join(RetentionKind)
    with opened(database) as store, store.write() as session:
        for rule in set_ or ():
            kind, _, days = rule.partition("=")
            if kind not in set(RetentionKind) or not (days == "never" or days.isdigit()):
                raise BellwetherError(f"'{rule}' is no rule; write KIND=DAYS, KIND from {kinds}.")
            set_retention(session, RetentionKind(kind), None if days == "never" else int(days))
        if set_:
            rules = rules_in_force(session)
            console.print(
                ", ".join(f"{kind}: {days} days" for kind, days in rules.items()) or "none"
            )
            return
        done = apply_retention(session, utc_now())
    console.print(
        f"{done.erased:,} students erased, {done.messages:,} messages deleted, {done.reports:,} "
        "import reports emptied"
    )


def backup(
    database: DatabaseOption,
    out: Annotated[Path, typer.Argument(help="File to write; it holds names and keys.")],
) -> None:
    """Copy the whole database to a file while it is in use."""
    from cases.upkeep.backup import back_up

    with opened(database) as store:
        back_up(store, out)
    console.print(f"{out}: {out.stat().st_size:,} bytes")


def restore(
    database: DatabaseOption,
    source: Annotated[Path, typer.Argument(help="File that `backup` wrote.")],
) -> None:
    """Put a backup into an empty database of the same kind."""
    from cases.upkeep.backup import restore as put_back

    with opened(database, is_new=True) as store:
        put_back(store, source)
    console.print(f"{source} is restored; run `bellwether cases migrate` if the program is newer.")
