"""Meeting pages: of one student, with the student, or of several cases among colleagues."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from cases.casework.states import OPEN_INTERVENTIONS, CaseState
from cases.reading.worklist import WorklistRow, case_rows
from cases.tables.events import Intervention
from desk.context import Visit
from desk.forms import whole
from desk.pages.student import find_student, main_enrolment
from desk.queries import CaseDetails, details_of_cases, user_names
from desk.views.marks import Link, joined
from desk.views.meeting import Agreed, Meeting, Person
from desk.views.reasons import evidence_text, first_reason
from desk.views.worklist import Empty
from desk.views.worklist_rows import year_text

_MOST = 60


def show(visit: Visit) -> Response:
    """Show the chosen cases for a meeting of colleagues."""
    words = visit.words
    numbers = [whole(value) for value in visit.request.query_params.getlist("case")[:_MOST]]
    ids = list(dict.fromkeys(number for number in numbers if number is not None))
    rows = case_rows(visit.session, visit.scope(), ids, now=visit.at)
    details = details_of_cases(visit.session, [row.case_id for row in rows], 1)
    steps = _open_steps(visit.session, [row.case_id for row in rows])
    names = user_names(visit.session, [one.owner_id for one in steps])
    view = Meeting(
        title=words("Meeting, {day}", day=words.long_day(words.today)),
        lead=words.many("{count} student", "{count} students", len(rows)),
        people=tuple(
            _person(
                visit,
                row,
                details[row.case_id],
                [one for one in steps if one.case_id == row.case_id],
                names,
            )
            for row in rows
        ),
        links=(Link(words("Worklist"), visit.url("/worklist")),),
        empty=Empty(
            words("Nobody is on the list"),
            words("Tick students on the worklist and choose “Add to meeting”."),
        ),
    )
    response = visit.page("meeting.html", view)
    if rows:
        with visit.operation() as operation:
            operation.record("student.viewed", students={row.student_id for row in rows})
    return response


def show_student(visit: Visit) -> Response:
    """Show one student's meeting page: fit to be given to the student, without tier and estimate."""
    words, facts = visit.words, visit.facts
    detail = find_student(visit, visit.number("student"))
    enrolment = main_enrolment(detail)
    latest = enrolment.latest if enrolment else None
    points = [
        text
        for advice in (latest.recommendations if latest else [])
        if (text := evidence_text(advice, facts, words))
    ]
    steps = [
        one
        for case in detail.cases
        if case.case.state != CaseState.CLOSED
        for one in case.interventions
        if one.state in OPEN_INTERVENTIONS
    ]
    names = user_names(visit.session, [one.owner_id for one in steps])
    meta = joined(
        [
            detail.external,
            enrolment.enrolment.programme if enrolment else None,
            year_text(enrolment.enrolment.year, words) if enrolment else None,
        ]
    )
    person = Person(
        name=detail.name,
        meta=meta,
        tier=None,
        estimate="",
        points=tuple(dict.fromkeys(points)),
        steps=_agreed(visit, steps, names),
    )
    view = Meeting(
        title=words("Meeting, {day}", day=words.long_day(words.today)),
        lead=words("What we talk about, and what we agree on: who does what, by when."),
        people=(person,),
        links=(Link(words("Back to the page"), visit.url(f"/students/{detail.student.id}")),),
        empty=Empty("", ""),
    )
    response = visit.page("meeting.html", view)
    with visit.operation() as operation:
        operation.record("student.viewed", students=[detail.student.id])
    return response


def _person(
    visit: Visit,
    row: WorklistRow,
    details: CaseDetails,
    steps: Sequence[Intervention],
    names: Mapping[int, str],
) -> Person:
    words, facts = visit.words, visit.facts
    point = first_reason(details.reasons, details.recommendations, facts, words)
    estimate = ""
    if row.probability is not None:
        estimate = words("{risk} estimated", risk=words.percent(row.probability))
    return Person(
        name=row.name,
        meta=joined([row.external, row.programme, year_text(row.year, words)]),
        tier=facts.tiers.mark(row.tier, is_own=row.override_tier is not None),
        estimate=estimate,
        points=(point,) if point else (),
        steps=_agreed(visit, steps, names),
    )


def _agreed(
    visit: Visit, steps: Sequence[Intervention], names: Mapping[int, str]
) -> tuple[Agreed, ...]:
    return tuple(
        Agreed(
            what=one.action,
            who=names.get(one.owner_id or 0, "") or visit.facts.owner_label(one.owner_role),
            by=visit.words.day(one.due) if one.due else "",
        )
        for one in steps
    )


def _open_steps(session: Session, case_ids: Sequence[int]) -> list[Intervention]:
    found = select(Intervention).where(
        Intervention.case_id.in_(case_ids), Intervention.state.in_(OPEN_INTERVENTIONS)
    )
    return list(session.scalars(found.order_by(Intervention.number)))
