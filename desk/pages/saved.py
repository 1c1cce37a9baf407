"""Saved views of the worklist: save, look at who entered and left, delete."""

from starlette.responses import Response

from cases.reading.filters import Filters
from cases.reading.students import names_of
from cases.reading.views import delete_view, refresh_view, save_view, stays
from cases.tables.views import SavedView
from desk.context import Visit
from desk.pages.worklist import worklist_view
from desk.views.filters import filters_of_query, query_of
from desk.views.marks import Link
from desk.views.saved import Saved, StayRow
from desk.views.worklist import Empty


def save(visit: Visit) -> Response:
    """Save the filters of the list under a name."""
    reader = visit.reader("view")
    name = reader.text("name", longest=100)
    filters = filters_of_query(reader.text("filters", required=False, longest=2000), visit.user_id)
    if not reader.is_valid:
        view = worklist_view(visit, filters, reader.state())
        return visit.page("worklist.html", view, 422)
    with visit.operation() as operation:
        made = save_view(operation.session, visit.user_id, name, filters, at=visit.at)
        refresh_view(operation.session, made.id, visit.user_id, visit.scope(), at=visit.at)
        operation.record("view.saved")
        view_id = made.id
    return visit.go(f"/views/{view_id}", done="view")


def show(visit: Visit) -> Response:
    """Show who entered and who left; looking records who has since the last look."""
    words, view_id = visit.words, visit.number("view")
    with visit.operation() as operation:
        session = operation.session
        refresh_view(session, view_id, visit.user_id, visit.scope(), at=visit.at)
        view = session.get_one(SavedView, view_id)
        found = stays(session, view_id, visit.user_id, visit.scope())
        names = names_of(session, {one.student_id for one in found})
    inside = sum(one.left_at is None for one in found)
    query = query_of(Filters.from_json(view.filters))
    page = Saved(
        title=view.name,
        lead=words.many(
            "{count} case is in this view. Each look records which cases entered and left since.",
            "{count} cases are in this view. Each look records which cases entered and left since.",
            inside,
        ),
        links=(Link(words("Open as worklist"), visit.url("/worklist") + query),),
        caption=words("Saved {day}", day=words.day(view.made_at)),
        rows=tuple(
            StayRow(
                name=names.get(one.student_id, str(one.student_id)),
                url=visit.url(f"/students/{one.student_id}"),
                entered=words.day(one.entered_at),
                left=words.day(one.left_at) if one.left_at else words("is in it"),
            )
            for one in found
        ),
        empty=Empty(words("Nobody yet"), words("No case has been in this view so far.")),
        delete_action=visit.url(f"/views/{view_id}/delete"),
    )
    return visit.page("saved.html", page)


def delete(visit: Visit) -> Response:
    """Delete a view with its history."""
    with visit.operation() as operation:
        delete_view(operation.session, visit.number("view"), visit.user_id)
        operation.record("view.deleted")
    return visit.go("/worklist", done="view-deleted")
