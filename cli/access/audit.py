"""`bellwether access`: verify, export and prune the audit trail."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.access.target import target_of
from cli.console import console, errors

if TYPE_CHECKING:
    from access.audit.verify import Report


def verify(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Option(help="An exported file instead of the database.", exists=True, dir_okay=False),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ:HASH",
            help="An entry that was written down earlier: what came before it has to lead there.",
        ),
    ] = None,
) -> None:
    """Verify the audit trail, entry by entry; exit code 1 where anything was changed.

    A file is verified without the desk. Its seals are checked only where the desk's secret is there.
    """
    from access.audit.export import verify_file
    from access.audit.verify import verify as verify_stored
    from access.keys import DeskKeys, load_secret

    target, expected = target_of(context), _expected(expect)
    if file is None:
        with target.open() as opened, opened.database.read() as session:
            report = verify_stored(session, opened.keys.trail, expected)
    else:
        has_secret = target.secret_file.exists()
        key = DeskKeys.from_secret(load_secret(target.secret_file)).trail if has_secret else None
        report = verify_file(file, key, expected)
    _print(report)
    if not report.is_valid:
        raise typer.Exit(1)


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines; must not exist yet.", dir_okay=False)],
    after: Annotated[
        int, typer.Option(help="Entries after this one only: where the last file ended.", min=0)
    ] = 0,
) -> None:
    """Write the audit trail to a file that can be verified without the desk."""
    from access.audit.export import export as write

    with (
        target_of(context).operate() as operation,
        file.open("x", encoding="utf-8") as written,
    ):
        done = write(operation.session, written, after)
        operation.record("audit.exported", after=after, upto=done.last)
    console.print(f"{done.entries} entries in {file.name}. Write down what it ends with:")
    console.print(f"{done.last}:{done.head}", soft_wrap=True, highlight=False)


def prune(
    context: typer.Context,
    keep_days: Annotated[
        int, typer.Option(help="Delete entries that are older; six months are kept.", min=184)
    ],
) -> None:
    """Delete old entries of the audit trail; export them first where they have to be kept."""
    from access.audit.prune import prune as delete
    from access.audit.verify import verify as verify_stored

    with target_of(context).operate() as operation:
        report = verify_stored(operation.session, operation.keys.trail)
        if not report.is_valid:
            _print(report)
            raise typer.Exit(1)
        deleted = delete(operation, timedelta(days=keep_days))
    console.print(f"{deleted} entries deleted.")


def _print(report: "Report") -> None:
    for fault in report.faults:
        where = f"entry {fault.seq}: " if fault.seq else ""
        errors.print(f"{where}{fault.message}", highlight=False)
    state = "valid" if report.is_valid else "NOT valid"
    seals = "" if report.sealed else "; seals not checked, for that needs the desk's secret"
    console.print(f"{report.entries} entries, {state}{seals}. The last one:", highlight=False)
    console.print(f"{report.last}:{report.head}", soft_wrap=True, highlight=False)


def _expected(written: str | None) -> tuple[int, str] | None:
    """Read `SEQ:HASH`."""
    if written is None:
        return None
    seq, _, digest = written.partition(":")
    if not seq.isdecimal() or len(digest) != 64:
        raise typer.BadParameter("--expect: write SEQ:HASH, as export and verify print it.")
    return int(seq), digest.lower()
