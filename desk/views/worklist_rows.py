"""Rows of the worklist, from the rows of cases."""

from collections.abc import Callable
from datetime import date

from cases.reading.worklist import WorklistRow
from desk.charts.small import spark
from desk.facts import Facts
from desk.i18n.words import Words
from desk.queries import CaseDetails
from desk.views.marks import change_mark, joined
from desk.views.reasons import first_reason
from desk.views.words_of_cases import state_label
from desk.views.worklist import Column, Row

ESTIMATES_SHOWN = 6


def columns(period_name: str, words: Words) -> tuple[Column, ...]:
    """Return the heads of the columns; the list is in the order of need, the tier first."""
    return (
        Column(words("Student")),
        Column(words("Tier"), sort="descending"),
        Column(words("Last {count} {period}s, change", count=ESTIMATES_SHOWN, period=period_name)),
        Column(words("First reason")),
        Column(words("Last contact")),
        Column(words("Next step")),
        Column(words("Owner"), "optional"),
    )


def row_of(
    row: WorklistRow,
    details: CaseDetails,
    facts: Facts,
    url: Callable[[str], str],
    words: Words,
) -> Row:
    """Return how one case is shown."""
    is_own = row.override_tier is not None
    note = words("set by a person instead of the estimate") if is_own else ""
    if row.probability is None:
        estimate = words("raised by a person") if row.origin == "person" else words("no estimate")
        shown = None
    else:
        estimate = words("{risk} estimated", risk=words.percent(row.probability))
        label = words("The last estimates, now {risk}", risk=words.percent(row.probability))
        shown = spark(details.risks, label)
    reason = row.topic if row.origin == "person" else ""
    if row.origin != "person":
        reason = first_reason(details.reasons, details.recommendations, facts, words)
    due, is_urgent = due_text(row.due, words)
    return Row(
        case_id=row.case_id,
        name=row.name,
        url=url(f"/students/{row.student_id}"),
        meta=joined([row.external, row.programme, year_text(row.year, words)]),
        tier=facts.tiers.mark(row.tier, is_own=is_own, note=note),
        estimate=estimate,
        spark=shown,
        change=change_mark(row.change, words),
        reason=reason or words("nothing stands out"),
        last_contact=contact_text(row, words),
        next_step=row.next_step or words("to be agreed"),
        due=due,
        is_urgent=is_urgent,
        owner=details.owner or words("no one yet"),
        state=state_label(row.state, words),
    )


def due_text(due: date | None, words: Words) -> tuple[str, bool]:
    """Return when something is due, and whether that needs attention: today or before."""
    if due is None:
        return "", False
    if due < words.today:
        days = (words.today - due).days
        return words.many("overdue {count} day", "overdue {count} days", days), True
    if due == words.today:
        return words("today"), True
    return words.day(due), False


def year_text(year: int | None, words: Words) -> str:
    """Return a year of study."""
    return "" if year is None else words("year {year}", year=year)


def contact_text(row: WorklistRow, words: Words) -> str:
    """Return when there was contact last, and how many attempts since had no answer."""
    if row.last_contact_at is None:
        return words("none yet")
    day = words.day(row.last_contact_at)
    if row.attempts:
        tries = words.many(
            "{count} try without answer", "{count} tries without answer", row.attempts
        )
        return f"{day}, {tries}"
    return day
