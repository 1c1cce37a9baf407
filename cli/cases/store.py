"""Commands that read or mend the store: list, status, export, rebuild, effects."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.cases.options import DatabaseOption, opened
from cli.console import console


def list_cases(
    database: DatabaseOption,
    tier: Annotated[list[str] | None, typer.Option(help="Only these tiers.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only these states.")] = None,
    programme: Annotated[list[str] | None, typer.Option(help="Only these programmes.")] = None,
    unowned: Annotated[bool, typer.Option(help="Only cases of nobody.")] = False,
    names: Annotated[bool, typer.Option(help="Show names instead of numbers.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List open cases in order of need: tier, worsening, time without contact."""
    from cases.reading.filters import Filters
    from cases.reading.worklist import counts, worklist
    from cases.scope import Scope

    filters = Filters(
        tiers=tuple(tier or ()),
        states=tuple(state or ()),
        programmes=tuple(programme or ()),
        unowned=unowned,
    )
    with opened(database) as store, store.read() as session:
        page = worklist(session, Scope.all_students(), filters, limit=limit)
        number = counts(session, Scope.all_students(), filters)
    title = f"{number.total:,} cases, {number.unowned:,} of nobody, {number.overdue:,} overdue"
    columns = "case", "student", "programme", "state", "tier", "risk", "change", "next step"
    table = Table(*columns, title=title)
    for row in page.rows:
        table.add_row(
            str(row.case_id),
            row.name if names else str(row.student_id),
            row.programme or "",
            row.state,
            row.tier or "",
            "" if row.probability is None else f"{row.probability:.2f}",
            "" if row.change is None else f"{row.change:+.2f}",
            row.next_step or row.first_reason or "",
        )
    console.print(table)


def status(database: DatabaseOption) -> None:
    """Show revision, sizes, and what waits to be scored."""
    from sqlalchemy import func, select

    from cases.recording.queue import queue_status
    from cases.tables.events import Case, CaseEvent
    from cases.tables.people import Enrolment, Student
    from cases.tables.records import Assessment, RecordedValue
    from database.migrate import current_revision, newest_revision

    table = Table("what", "value", title="The desk's store")
    with opened(database) as store:
        table.add_row("revision", f"{current_revision(store)} of {newest_revision()}")
        with store.read() as session:
            for name, rows in (
                ("students", Student),
                ("enrolments", Enrolment),
                ("recorded periods", RecordedValue),
                ("assessments", Assessment),
                ("cases", Case),
                ("events", CaseEvent),
            ):
                number = session.scalars(select(func.count()).select_from(rows)).one()
                table.add_row(name, f"{number:,}")
            waiting = queue_status(session)
    table.add_row("waiting to be scored", f"{waiting.waiting:,}")
    if waiting.oldest is not None:
        table.add_row("the oldest since", f"{waiting.oldest:%Y-%m-%d %H:%M} UTC")
    table.add_row("failing", f"{waiting.failing:,}")
    console.print(table)


def export(
    database: DatabaseOption,
    contract: Annotated[str, typer.Option(help="Shipped contract or .toml file.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.", file_okay=False)],
    finished: Annotated[
        bool, typer.Option(help="Only records with a risk outcome, to train on.")
    ] = False,
) -> None:
    """Write what was recorded as the contract's table, and who had help beside it."""
    from cases.scope import Scope
    from cases.upkeep.export import export_table
    from records.contract import load_contract

    agreed = load_contract(contract)
    with opened(database) as store, store.read() as session:
        done = export_table(session, Scope.all_students(), agreed, out, only_finished=finished)
    console.print(
        f"{done.records:,} records ({done.with_outcome:,} with outcome, {done.treated:,} with help) "
        f"→ {out / 'records.csv'}, {out / 'treatment.csv'}"
    )


def rebuild(
    database: DatabaseOption,
    policy: Annotated[
        str | None,
        typer.Option(help="Policy by whose tiers standings are derived, with --contract."),
    ] = None,
    contract: Annotated[str | None, typer.Option(help="The policy's contract.")] = None,
) -> None:
    """Derive cases from events again, and standings from assessments; put differences right."""
    from cases.upkeep.rebuild import rebuild_cases, rebuild_standings
    from records.contract import load_contract
    from scoring.policy.model import load_policy

    with opened(database) as store, store.write() as session:
        cases = rebuild_cases(session)
        console.print(f"{cases.cases:,} cases, {cases.changed:,} rows put right")
        if policy is not None:
            rules = load_policy(policy, load_contract(contract or policy))
            standings = rebuild_standings(session, rules)
            console.print(f"{standings.standings:,} standings, {standings.changed:,} put right")


def effects(
    database: DatabaseOption,
    policy: Annotated[str, typer.Option(help="Policy of the term.")],
    contract: Annotated[str | None, typer.Option(help="The policy's contract.")] = None,
    outcome: Annotated[str, typer.Option(help="Definition of the outcome.")] = "risk",
) -> None:
    """Print process figures, then what the term shows of effects, with 95% intervals."""
    from cases.effects.report import effects_report
    from cases.scope import Scope
    from cli.cases.effects_tables import effects_tables
    from records.contract import load_contract
    from scoring.policy.model import load_policy

    rules = load_policy(policy, load_contract(contract or policy))
    with opened(database) as store, store.read() as session:
        report = effects_report(session, Scope.all_students(), rules, outcome=outcome)
    for table in effects_tables(report):
        console.print(table)


def detectable(
    per_arm: Annotated[int, typer.Option(help="Students in each of two arms.", min=1)],
    rate: Annotated[
        float, typer.Option(help="Share that fails without help.", min=0.001, max=0.999)
    ],
) -> None:
    """Print before the term which difference a comparison could find at all."""
    from cases.effects.figures import detectable_effect

    least = detectable_effect(per_arm, rate=rate)
    console.print(
        f"With {per_arm:,} students in each arm and {rate:.0%} failing, a difference of "
        f"{100 * least:.1f} percentage points is found four times in five; smaller ones are "
        "missed more often."
    )
