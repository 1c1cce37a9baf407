"""A student's page, the same turned to the student, and every view of it in the audit trail."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response

from access.roles import Action
from cases.casework.lifecycle import mark_seen
from cases.casework.notes import NoteList, notes
from cases.casework.overrides import OverrideView, feedback_of
from cases.casework.states import CaseState
from cases.errors import NotFoundError
from cases.reading.student import (
    EnrolmentView,
    StudentDetail,
    events,
    history,
    recorded,
    student_detail,
)
from cases.tables.people import EnrolmentStatus
from desk.context import Visit
from desk.forms import FormState, choices
from desk.queries import colleagues, user_names
from desk.views.marks import Link, TierMark, joined
from desk.views.reasons import reasons_view
from desk.views.student import estimate
from desk.views.student.history import chart_events, notes_of, people_of, timeline_of
from desk.views.student.page import Student, StudentForms
from desk.views.student.steps import case_view, steps_of
from desk.views.words_of_cases import (
    assignment_roles,
    close_reasons,
    contact_kinds,
    dismiss_reasons,
    outcomes,
    verdicts,
)
from desk.views.worklist_rows import year_text

LONGEST_OVERRIDE = timedelta(days=183)


def show(visit: Visit) -> Response:
    """Show a student to the people who look after them."""
    return show_page(visit, visit.number("student"))


def show_together(visit: Visit) -> Response:
    """Show a student's page with the student: no tiers, no restricted notes, no forms."""
    return show_page(visit, visit.number("student"), together=True)


def show_page(
    visit: Visit,
    student_id: int,
    *,
    forms: Mapping[str, FormState] | None = None,
    together: bool = False,
    status: int = 200,
) -> Response:
    """Show a student and record that they were looked at.

    Args:
        visit: The request.
        student_id: Whom.
        forms: Forms that were sent with faults, by name.
        together: Whether the student looks on.
        status: Of the answer.
    """
    detail = find_student(visit, student_id)
    view = student_view(visit, detail, forms or {}, together=together)
    response = visit.page("student.html", view, status)
    with visit.operation() as operation:
        operation.record("student.viewed", students=[student_id])
        for rows in detail.cases:
            # Only the owner's look changes the state: others look without taking over.
            if rows.case.state == CaseState.NEW and rows.case.owner_id == visit.user_id:
                mark_seen(operation.session, rows.case.id, actor=visit.user_id)
    return response


def find_student(visit: Visit, student_id: int) -> StudentDetail:
    """Read a student in the person's scope.

    Raises:
        NotFoundError: There is none, or outside the scope.
    """
    detail = student_detail(visit.session, visit.scope(), student_id, now=visit.at)
    if detail is None:
        raise NotFoundError("There is no such student.")
    return detail


def main_enrolment(detail: StudentDetail) -> EnrolmentView | None:
    """Return the enrolment that the page is about: the newest active one that was assessed."""
    active = [one for one in detail.enrolments if one.enrolment.status == EnrolmentStatus.ACTIVE]
    assessed = [one for one in active if one.latest is not None]
    return next(iter([*assessed, *active, *detail.enrolments]), None)


def student_view(
    visit: Visit, detail: StudentDetail, forms: Mapping[str, FormState], *, together: bool
) -> Student:
    """Build the page."""
    words, facts, session, scope = visit.words, visit.facts, visit.session, visit.scope()
    student_id = detail.student.id
    enrolment = main_enrolment(detail)
    latest = enrolment.latest if enrolment else None
    made = (
        history(session, scope, enrolment.enrolment.id)
        if enrolment and not enrolment.scores_hidden
        else []
    )
    periods = recorded(session, scope, enrolment.enrolment.id) if enrolment else []
    happened = events(session, scope, student_id=student_id)
    listed = notes(
        session,
        scope,
        student_id,
        reader=visit.user_id,
        restricted=visit.may(Action.VIEW_RESTRICTED_NOTES),
    )
    may_change = visit.may(Action.CHANGE_CASES) and not together
    people = colleagues(session) if may_change else []
    named = people_of(happened, listed.notes) | {one.user_id for one in detail.assigned}
    named |= {case.case.owner_id for case in detail.cases}
    named |= {case.case.raised_by for case in detail.cases}
    names = user_names(session, named)
    given = {
        one.rule or "": one.verdict
        for one in (feedback_of(session, scope, latest.id) if latest else [])
    }
    steps, ended = steps_of(
        detail.cases,
        advice=estimate.advice_by_rule(latest),
        feedback=given,
        names=names,
        facts=facts,
        words=words,
    )
    override = override_in_force(detail, enrolment, visit)
    open_cases = [case for case in detail.cases if case.case.state != CaseState.CLOSED]
    marks = chart_events(happened, made, words)
    return Student(
        title=detail.name,
        reference=joined([detail.name, detail.external]),
        url=visit.url(f"/students/{student_id}"),
        tier=None if together else tier_of(visit, enrolment, override),
        chips=_chips(visit, detail, enrolment, names),
        changed=estimate.what_changed(enrolment, facts, words)
        if enrolment and not together
        else (),
        cautions=_cautions(visit, detail, override, together=together),
        is_hidden=_why_no_estimate(visit, detail, enrolment),
        chart=estimate.risk_chart(
            latest, marks, facts.without_tiers() if together else facts, words
        )
        if latest
        else None,
        forecast=estimate.forecasts(latest, words) if latest else (),
        reasons=reasons_view(latest.reasons, words) if latest and latest.reasons else None,
        histories=estimate.histories(periods, facts, words),
        steps=steps,
        done_steps=ended,
        timeline=timeline_of(happened, detail.cases, names, facts, words, together=together),
        notes=notes_of(listed.notes, names, words, together=together),
        restricted="" if together else _restricted(listed, visit),
        gaps=estimate.gaps(periods, latest, facts, words),
        cases=tuple(case_view(case, names, people, words) for case in open_cases)
        if not together
        else (),
        assessments=estimate.assessments_table(made, facts, words),
        assessment_id=latest.id if latest else 0,
        override_id=override.override_id if override else 0,
        together=together,
        may_change=may_change,
        may_write=visit.may(Action.WRITE_NOTES) and not together,
        may_restrict=visit.may(Action.VIEW_RESTRICTED_NOTES),
        forms=_forms(visit, forms),
        links=_links(visit, student_id, together=together),
    )


def override_in_force(
    detail: StudentDetail, enrolment: EnrolmentView | None, visit: Visit
) -> OverrideView | None:
    """Return a person's own judgement that counts today."""
    if enrolment is None:
        return None
    return next(
        (
            one
            for one in detail.overrides
            if one.enrolment_id == enrolment.enrolment.id
            and one.ended_at is None
            and one.expires_on >= visit.words.today
        ),
        None,
    )


def tier_of(
    visit: Visit, enrolment: EnrolmentView | None, override: OverrideView | None
) -> TierMark | None:
    """Return the tier that counts: a person's own, else the estimate's."""
    words = visit.words
    if override is not None and override.tier is not None:
        note = words("set by a person until {day}", day=words.day(override.expires_on))
        return visit.facts.tiers.mark(override.tier, is_own=True, note=note)
    standing = enrolment.standing if enrolment else None
    return visit.facts.tiers.mark(standing.tier if standing else None)


def _chips(
    visit: Visit,
    detail: StudentDetail,
    enrolment: EnrolmentView | None,
    names: Mapping[int, str],
) -> tuple[str, ...]:
    words = visit.words
    chips = [detail.external or ""]
    if enrolment is not None:
        row = enrolment.enrolment
        chips.append(joined([row.programme, year_text(row.year, words)]))
        if row.status == EnrolmentStatus.LEFT:
            chips.append(words("has left"))
        elif row.status == EnrolmentStatus.SUSPENDED:
            chips.append(words("enrolment suspended"))
    roles = dict(assignment_roles(words))
    for one in detail.assigned:
        role = roles.get(one.role, one.role)
        chips.append(f"{words.sentence(role).removesuffix('.')}: {names.get(one.user_id, '?')}")
    if not detail.assigned:
        chips.append(words("nobody looks after this student yet"))
    return tuple(chip for chip in chips if chip)


def _cautions(
    visit: Visit, detail: StudentDetail, override: OverrideView | None, *, together: bool
) -> tuple[str, ...]:
    words = visit.words
    said = []
    if detail.student.objected_at is not None:
        said.append(words("The student objects to being scored. There are no estimates."))
    if override is not None and not together:
        day = words.day(override.expires_on)
        said.append(
            words(
                "A person’s judgement counts until {day}: {reason}", day=day, reason=override.reason
            )
        )
    if student_is_opened(visit, detail):
        said.append(words("You opened this page by break-glass. It is recorded with your reason."))
    return tuple(said)


def student_is_opened(visit: Visit, detail: StudentDetail) -> bool:
    """Return whether only break-glass lets the person see this student."""
    return detail.student.id in visit.principal.opened


def _why_no_estimate(visit: Visit, detail: StudentDetail, enrolment: EnrolmentView | None) -> str:
    words = visit.words
    if enrolment is None:
        return words("The student is not enrolled.")
    if enrolment.scores_hidden:
        return words("Estimates are switched off for this contract.")
    if detail.student.objected_at is not None or enrolment.latest is None:
        return words("There is no estimate yet.")
    return words("There is no estimate: too little was recorded so far.")


def _restricted(listed: NoteList, visit: Visit) -> str:
    seen = sum(note.restricted_by is not None for note in listed.notes)
    count = listed.hidden_restricted + seen
    if not count:
        return ""
    return visit.words.many("{count} restricted note", "{count} restricted notes", count)


def _links(visit: Visit, student_id: int, *, together: bool) -> tuple[Link, ...]:
    words = visit.words
    base = visit.url(f"/students/{student_id}")
    if together:
        return (Link(words("Back to your own view"), base),)
    return (
        Link(words("Turn the screen to the student"), f"{base}/together"),
        Link(words("Meeting page"), f"{base}/meeting"),
    )


def _forms(visit: Visit, sent: Mapping[str, FormState]) -> StudentForms:
    words = visit.words
    labels = list(visit.facts.tiers.labels.items())
    return StudentForms(
        **{
            name: sent.get(name, FormState(name))
            for name in ("note", "contact", "override", "state", "step", "dismiss")
        },
        today=words.today.isoformat(),
        latest_override=(words.today + LONGEST_OVERRIDE).isoformat(),
        contact_kinds=choices(contact_kinds(words)),
        verdicts=choices(verdicts(words)),
        dismiss_reasons=choices(dismiss_reasons(words)),
        close_reasons=choices([("", "–"), *close_reasons(words)]),
        outcomes=choices([("", "–"), *outcomes(words)]),
        tiers=choices([("", words("only record a reason")), *reversed(labels)]),
    )
