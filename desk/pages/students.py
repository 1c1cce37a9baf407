"""Find students, and assign those without an adviser."""

from collections.abc import Sequence

from starlette.responses import Response

from access.roles import Action
from cases.errors import InvalidError
from cases.people import assign_person
from cases.reading.students import FoundStudent, find_students, names_of, unassigned
from desk.context import Visit
from desk.forms import FormState, choices
from desk.queries import colleagues, standings_of_students
from desk.rights import require_students
from desk.views.marks import joined
from desk.views.selected import Selected
from desk.views.students import StudentRow, Students
from desk.views.words_of_cases import assignment_roles, state_label
from desk.views.worklist import Empty
from desk.views.worklist_rows import year_text

_MOST_FOUND = 50
_MOST = 200


def search(visit: Visit) -> Response:
    """Show the students whose name or number begins with what was typed."""
    words = visit.words
    query = visit.query.get("q", "").strip()[:100]
    found = find_students(visit.session, visit.scope(), query, limit=_MOST_FOUND)
    empty = None
    if query and not found:
        text = words("Try the beginning of a first name, a last name or a number.")
        empty = Empty(words("No student found"), text)
    caption = words.many("{count} student", "{count} students", len(found))
    if len(found) == _MOST_FOUND:
        caption = words("The first {count} students", count=_MOST_FOUND)
    view = Students(
        title=words("Students"),
        lead=words("Find a student whom you look after, by name or number."),
        has_search=True,
        action=visit.url("/students"),
        query=query,
        caption=caption,
        rows=student_rows(visit, found, has_links=True),
        next_url="",
        empty=empty,
        may_assign=False,
        assign_action="",
    )
    return visit.page("students.html", view)


def show_unassigned(visit: Visit) -> Response:
    """Show the students with an active enrolment and no adviser."""
    words = visit.words
    page = unassigned(
        visit.session,
        visit.scope(Action.CHANGE_ASSIGNMENTS),
        limit=visit.desk.settings.page_size,
        after=visit.query.get("after"),
    )
    following = f"{visit.url('/unassigned')}?after={page.next}" if page.next else ""
    view = Students(
        title=words("Unassigned students"),
        lead=words("Nobody looks after these students yet. Give each of them somebody."),
        has_search=False,
        action="",
        query="",
        caption=words.many(
            "{count} student on this page", "{count} students on this page", len(page.rows)
        ),
        rows=student_rows(visit, page.rows, has_links=visit.may(Action.VIEW_STUDENTS)),
        next_url=following,
        empty=Empty(
            words("Everybody is looked after"),
            words("Each student with an active enrolment has at least one person."),
        ),
        may_assign=True,
        assign_action=visit.url("/unassigned"),
    )
    return visit.page("students.html", view)


def choose_person(visit: Visit) -> Response:
    """Ask to whom the ticked students are given."""
    ids = visit.reader("selected").wholes("student", most=_MOST)
    if not ids:
        raise InvalidError("Tick at least one student first.")
    require_students(visit.session, visit.scope(Action.CHANGE_ASSIGNMENTS), ids)
    return visit.page("selected.html", _assign_view(visit, ids, FormState("selected")))


def assign(visit: Visit) -> Response:
    """Let a person look after the chosen students."""
    reader = visit.reader("selected")
    ids = reader.wholes("student", most=_MOST)
    people = {str(user_id) for user_id, _ in colleagues(visit.session)}
    person = reader.choice("person", people)
    role = reader.choice("role", dict(assignment_roles(visit.words)))
    scope = visit.scope(Action.CHANGE_ASSIGNMENTS)
    if not reader.is_valid:
        require_students(visit.session, scope, ids)
        return visit.page("selected.html", _assign_view(visit, ids, reader.state()), 422)
    with visit.operation() as operation:
        require_students(operation.session, scope, ids)
        for student_id in ids:
            assign_person(operation.session, student_id, int(person), role)
        operation.record("student.assigned", students=ids, to=person, role=role)
    return visit.go("/unassigned", done="assigned")


def student_rows(
    visit: Visit, found: Sequence[FoundStudent], *, has_links: bool
) -> tuple[StudentRow, ...]:
    """Return rows of a list; without the right to see students only who they are."""
    words, tiers = visit.words, visit.facts.tiers
    standings = (
        standings_of_students(visit.session, [one.student_id for one in found]) if has_links else {}
    )
    rows = []
    for one in found:
        standing = standings.get(one.student_id)
        risk = standing.probability if standing else None
        rows.append(
            StudentRow(
                id=one.student_id,
                name=one.name,
                url=visit.url(f"/students/{one.student_id}") if has_links else "",
                meta=joined([one.external, one.programme, year_text(one.year, words)]),
                tier=tiers.mark(standing.tier if standing else None),
                estimate=""
                if risk is None
                else words("{risk} estimated", risk=words.percent(risk)),
                case=state_label(standing.state, words)
                if standing and standing.state
                else words("no open case"),
            )
        )
    return tuple(rows)


def _assign_view(visit: Visit, ids: Sequence[int], form: FormState) -> Selected:
    words = visit.words
    names = names_of(visit.session, ids)
    people = [(str(user_id), name) for user_id, name in colleagues(visit.session)]
    return Selected(
        title=words("Assign"),
        lead=words("The person then sees these students and their cases."),
        form=form,
        action=visit.url("/unassigned/assign"),
        back=visit.back("/unassigned"),
        id_name="student",
        ids=tuple(ids),
        names=words.listing([names.get(one, str(one)) for one in ids[:20]]),
        button=words("Assign"),
        people_label=words("Person"),
        people=choices(people),
        roles=choices(assignment_roles(words)),
    )
