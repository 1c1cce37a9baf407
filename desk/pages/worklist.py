"""The worklist: open cases in the order of need, with filters in the address."""

import csv
import io

from starlette.responses import Response

from access.roles import Action
from cases.reading.filters import Filters
from cases.reading.views import views_of
from cases.reading.worklist import WorklistCounts, counts, worklist
from desk.charts.small import Places, places
from desk.context import Visit
from desk.forms import FormState
from desk.queries import (
    details_of_cases,
    mark_of_list,
    planned_this_week,
    programmes_and_students,
    user_names,
)
from desk.views.filters import filter_form, filters_from, query_of
from desk.views.marks import Link
from desk.views.worklist import Empty, Labels, News, Pages, Worklist
from desk.views.worklist_rows import ESTIMATES_SHOWN, columns, row_of

_MOST_EXPORTED = 5000


def show(visit: Visit) -> Response:
    """Show the cases that the filters in the address find."""
    filters = filters_from(visit.query, visit.user_id)
    return visit.page("worklist.html", worklist_view(visit, filters))


def news(visit: Visit) -> Response:
    """Say whether the list has changed since the page was opened; 304 while it has not."""
    filters = filters_from(visit.query, visit.user_id)
    mark = mark_of_list(visit.session, visit.scope(), filters, visit.at.date())
    is_changed = visit.query.get("seen") != mark
    text = visit.words("The list has changed since you opened it.") if is_changed else ""
    link = Link(visit.words("Show it anew"), visit.url("/worklist") + query_of(filters))
    return visit.fragment("news.html", News(text, link))


def export(visit: Visit) -> Response:
    """Answer with the list as CSV, to hand over: with the columns that identify students."""
    words = visit.words
    filters = filters_from(visit.query, visit.user_id)
    rows = worklist(visit.session, visit.scope(), filters, limit=_MOST_EXPORTED, now=visit.at).rows
    owners = user_names(visit.session, [row.owner_id for row in rows])
    tiers = visit.facts.tiers.labels
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [
            words("Name"),
            words("Number"),
            words("Programme"),
            words("Tier"),
            words("Next step"),
            words("By"),
            words("Owner"),
        ]
    )
    for row in rows:
        cells = [
            row.name,
            row.external or "",
            row.programme or "",
            tiers.get(row.tier or "", row.tier or ""),
            row.next_step or "",
            row.due.isoformat() if row.due else "",
            owners.get(row.owner_id or 0, ""),
        ]
        writer.writerow([_no_formula(cell) for cell in cells])
    with visit.operation() as operation:
        operation.record("worklist.exported", students={row.student_id for row in rows})
    headers = {"content-disposition": 'attachment; filename="worklist.csv"'}
    # With a byte order mark: spreadsheets take UTF-8 for something else without one.
    return Response("\ufeff" + text.getvalue(), media_type="text/csv", headers=headers)


def worklist_view(visit: Visit, filters: Filters, save_form: FormState | None = None) -> Worklist:
    """Build the page."""
    words, facts, session, scope = visit.words, visit.facts, visit.session, visit.scope()
    page = worklist(
        session,
        scope,
        filters,
        limit=visit.desk.settings.page_size,
        after=visit.query.get("after"),
        now=visit.at,
    )
    number = counts(session, scope, filters, now=visit.at)
    details = details_of_cases(session, [row.case_id for row in page.rows], ESTIMATES_SHOWN)
    codes, students = programmes_and_students(session, scope)
    may_change = visit.may(Action.CHANGE_CASES)
    query = query_of(filters)
    seen = mark_of_list(session, scope, filters, visit.at.date())
    return Worklist(
        title=words("My worklist") if may_change else words("Worklist"),
        lead=_lead(visit, number, students),
        capacity=_capacity(visit) if may_change else None,
        news_url=visit.url("/worklist/news") + query_of(filters, seen=seen),
        filters=filter_form(filters, visit.url("/worklist"), codes, facts.tiers, words),
        saved=_saved(visit, query) if may_change else (),
        caption=_caption(number, visit),
        beside=_beside(visit, number, filters),
        columns=columns(facts.period_name, words),
        labels=Labels(words("First reason"), words("Last contact"), words("Next step")),
        rows=tuple(row_of(row, details[row.case_id], facts, visit.url, words) for row in page.rows),
        pages=_pages(visit, filters, page.next),
        empty=_empty(visit, is_filtered=bool(query)),
        may_change=may_change,
        bulk_action=visit.url("/worklist/selected"),
        export_url=visit.url("/worklist/export") + query,
        may_save=may_change,
        save_form=save_form or FormState("view"),
    )


def _saved(visit: Visit, query: str) -> tuple[Link, ...]:
    """Return saved views as links; of the one that is shown also who entered and left it."""
    links = []
    for view in views_of(visit.session, visit.user_id):
        own = query_of(Filters.from_json(view.filters))
        links.append(Link(view.name, visit.url("/worklist") + own, own == query))
        if own == query:
            label = visit.words("{name}: who entered and left", name=view.name)
            links.append(Link(label, visit.url(f"/views/{view.id}")))
    return tuple(links)


def _lead(visit: Visit, number: WorklistCounts, students: int) -> str:
    words = visit.words
    open_cases = words.many("{count} case", "{count} cases", number.total)
    among = words.many(
        "of the {count} student you look after", "of the {count} students you look after", students
    )
    order = words(
        "In order of need: the higher tier first, then how much the estimate rose since the last "
        "{period}, then the time since the last contact. An estimate is not a verdict.",
        period=visit.facts.period_name,
    )
    return f"{open_cases} {among}. {order}"


def _caption(number: WorklistCounts, visit: Visit) -> str:
    words = visit.words
    new = number.by_state.get("new", 0)
    return words(
        "{new} new · {overdue} overdue",
        new=words.number(new),
        overdue=words.number(number.overdue),
    )


def _capacity(visit: Visit) -> Places:
    taken = planned_this_week(visit.session, visit.user_id, visit.words.today)
    return places(taken, visit.desk.settings.talks_per_week, visit.words)


def _beside(visit: Visit, number: WorklistCounts, filters: Filters) -> tuple[Link, ...]:
    if not number.unowned or filters.unowned:
        return ()
    label = visit.words.many("{count} without an owner", "{count} without an owner", number.unowned)
    return (Link(label, visit.url("/worklist?owner=none")),)


def _pages(visit: Visit, filters: Filters, after: str | None) -> Pages:
    base = visit.url("/worklist")
    first = base + query_of(filters) if visit.query.get("after") else ""
    following = base + query_of(filters, after=after) if after else ""
    label = visit.words(
        "At most {count} on a page", count=visit.words.number(visit.desk.settings.page_size)
    )
    return Pages(label, first, following)


def _empty(visit: Visit, *, is_filtered: bool) -> Empty:
    words = visit.words
    if is_filtered:
        return Empty(words("No case matches"), words("Change the filters, or show all cases."))
    return Empty(
        words("Nothing is open"),
        words(
            "No student whom you look after has an open case. New cases appear here by themselves."
        ),
    )


def _no_formula(cell: str) -> str:
    """Keep spreadsheets from taking text for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
