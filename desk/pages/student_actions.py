"""What can be done on a student's page: notes, contacts, steps, cases, overrides, feedback."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.orm import Session
from starlette.responses import Response

from access.operation import Operation
from access.roles import Action
from cases.casework import interventions, lifecycle
from cases.casework.notes import ContactType, write_note
from cases.casework.overrides import Verdict, end_override, give_feedback, set_override
from cases.casework.states import CaseOutcome, CloseReason, DismissReason
from cases.errors import InvalidError, NotFoundError
from cases.tables.events import Intervention
from desk.context import Visit
from desk.forms import FormReader
from desk.pages.student import (
    LONGEST_OVERRIDE,
    find_student,
    main_enrolment,
    override_in_force,
    show_page,
)
from desk.queries import colleagues
from desk.rights import require_assessment, require_cases, require_intervention, require_students
from desk.views.words_of_cases import close_reasons, contact_kinds, dismiss_reasons, outcomes

_LONGEST_NOTE = 10_000
_EARLIEST_CONTACT = timedelta(days=3 * 365)


def write(visit: Visit) -> Response:
    """Save a note, open or restricted, or as a draft."""
    student_id = _student(visit, Action.WRITE_NOTES)
    reader = visit.reader("note")
    text = reader.text("text", longest=_LONGEST_NOTE)
    day = reader.day("day", latest=visit.words.today)
    is_draft = reader.flag("draft")
    is_restricted = reader.flag("restricted") and visit.may(Action.VIEW_RESTRICTED_NOTES)
    if not reader.is_valid:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        _require(operation.session, visit, Action.WRITE_NOTES, student_id)
        write_note(
            operation.session,
            student_id,
            text=text,
            author=visit.user_id,
            happened_on=day,
            draft=is_draft,
            restricted=is_restricted,
            at=visit.at,
        )
        operation.record("note.written", students=[student_id], restricted=is_restricted)
    return visit.go(f"/students/{student_id}#notes", done="draft" if is_draft else "note")


def contact(visit: Visit) -> Response:
    """Record a contact, or a try at one; it counts as work on every open case."""
    student_id = _student(visit, Action.WRITE_NOTES)
    words, reader = visit.words, visit.reader("contact")
    kind = reader.choice("kind", dict(contact_kinds(words)))
    day = reader.day("day", earliest=words.today - _EARLIEST_CONTACT, latest=words.today)
    answered = reader.choice("answered", ("yes", "no"), required=False)
    text = reader.text("text", required=False, longest=_LONGEST_NOTE)
    if not reader.is_valid:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        _require(operation.session, visit, Action.WRITE_NOTES, student_id)
        write_note(
            operation.session,
            student_id,
            text=text or words("Contact recorded."),
            author=visit.user_id,
            happened_on=day,
            contact=ContactType(kind),
            answered=answered != "no",
            at=visit.at,
        )
        operation.record("contact.recorded", students=[student_id])
    return visit.go(f"/students/{student_id}#timeline", done="contact")


def override(visit: Visit) -> Response:
    """Set a tier of one's own or a known reason until a day, or end it."""
    student_id = _student(visit, Action.CHANGE_CASES)
    detail = find_student(visit, student_id)
    enrolment = main_enrolment(detail)
    if enrolment is None:
        raise NotFoundError("The student is not enrolled.")
    words, reader = visit.words, visit.reader("override")
    if visit.form.get("end"):
        current = override_in_force(detail, enrolment, visit)
        if current is None:
            raise NotFoundError("There is no override.")
        with visit.operation() as operation:
            _require(operation.session, visit, Action.CHANGE_CASES, student_id)
            end_override(operation.session, current.override_id, actor=visit.user_id)
            operation.record("override.ended", students=[student_id])
        return visit.go(f"/students/{student_id}", done="override-ended")
    tier = reader.choice("tier", visit.facts.tiers.labels, required=False)
    reason = reader.text("reason", longest=2000)
    until = reader.day("until", earliest=words.today, latest=words.today + LONGEST_OVERRIDE)
    if not reader.is_valid or until is None:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        _require(operation.session, visit, Action.CHANGE_CASES, student_id)
        set_override(
            operation.session,
            enrolment.enrolment.id,
            tier=tier or None,
            reason=reason,
            expires_on=until,
            actor=visit.user_id,
            at=visit.at,
        )
        operation.record("override.set", students=[student_id])
    return visit.go(f"/students/{student_id}", done="override")


def feedback(visit: Visit) -> Response:
    """Record what a person thinks of a recommendation, in one click."""
    student_id = _student(visit, Action.WRITE_NOTES)
    reader = visit.reader("feedback")
    verdict = reader.choice("verdict", list(Verdict))
    rule = reader.text("rule", longest=64)
    assessment = reader.whole("assessment")
    if not reader.is_valid or assessment is None:
        raise InvalidError("Please choose one of these.")
    with visit.operation() as operation:
        scope = visit.scope(Action.WRITE_NOTES)
        require_assessment(operation.session, scope, student_id, assessment)
        give_feedback(
            operation.session, assessment, verdict=Verdict(verdict), actor=visit.user_id, rule=rule
        )
        operation.record("feedback.given", students=[student_id])
    return visit.go(f"/students/{student_id}#steps", done="feedback")


def case(visit: Visit) -> Response:
    """Change state, owner, next step or due day of a case; only what was filled in."""
    student_id = _student(visit, Action.CHANGE_CASES)
    words, reader = visit.words, visit.reader("state")
    case_id, version = reader.whole("case"), reader.whole("version")
    state = reader.choice("state", ("in_support", "waiting", "closed"), required=False)
    reason = reader.choice("reason", dict(close_reasons(words)), required=state == "closed")
    outcome = reader.choice("outcome", dict(outcomes(words)), required=False)
    owner = reader.choice(
        "owner", {"0", *(str(n) for n, _ in colleagues(visit.session))}, required=False
    )
    next_step = reader.text("next_step", required=False)
    due = reader.day("due", required=state == "waiting", earliest=words.today)
    if not reader.is_valid or case_id is None:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        found = require_cases(operation.session, visit.scope(Action.CHANGE_CASES), [case_id])[0]
        if found.student_id != student_id:
            raise NotFoundError("There is no such case.")
        session, actor = operation.session, visit.user_id
        if owner and (int(owner) or None) != found.owner_id:
            version = lifecycle.assign(
                session, case_id, to=int(owner) or None, actor=actor, version=version
            )
        if next_step or (due is not None and state != "waiting"):
            version = lifecycle.plan_step(
                session,
                case_id,
                next_step=next_step or found.next_step,
                due=due or found.due,
                actor=actor,
                version=version,
            )
        if state == "in_support":
            lifecycle.start_support(session, case_id, actor=actor, version=version)
        elif state == "waiting" and due is not None:
            lifecycle.wait(
                session, case_id, until=due, reason=next_step, actor=actor, version=version
            )
        elif state == "closed":
            lifecycle.close(
                session,
                case_id,
                reason=CloseReason(reason),
                outcome=CaseOutcome(outcome) if outcome else None,
                actor=actor,
                version=version,
            )
        operation.record("case.changed", students=[student_id])
    return visit.go(f"/students/{student_id}", done="case")


def steps(visit: Visit) -> Response:
    """Accept, change, begin, finish or dismiss a step, or agree on another one."""
    student_id = _student(visit, Action.CHANGE_CASES)
    wanted = str(visit.form.get("do", ""))
    reader = visit.reader("step")
    case_id, number = reader.whole("case"), reader.whole("number")
    if case_id is None:
        raise NotFoundError("There is no such case.")
    if number is None:
        return _plan_another(visit, student_id, case_id, reader)
    words = visit.words
    action = reader.text("action", required=wanted == "change")
    due = reader.day("due", required=False, earliest=words.today)
    reason = reader.choice("reason", dict(dismiss_reasons(words)), required=wanted == "dismiss")
    if not reader.is_valid:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        scope = visit.scope(Action.CHANGE_CASES)
        step = require_intervention(operation.session, scope, case_id, number)
        if step.student_id != student_id:
            raise NotFoundError("There is no such step.")
        if wanted == "change":
            interventions.plan(
                operation.session,
                step.id,
                owner=step.owner_id or visit.user_id,
                due=due or step.due,
                actor=visit.user_id,
                action=action,
            )
        elif wanted == "dismiss":
            interventions.dismiss(
                operation.session, step.id, reason=DismissReason(reason), actor=visit.user_id
            )
        else:
            move_step(visit, operation, step, wanted)
        operation.record(f"step.{wanted}", students=[student_id])
    return visit.go(f"/students/{student_id}#steps", done="step")


def move_step(visit: Visit, operation: Operation, step: Intervention, to: str) -> None:
    """Move a step on: to `accept`, `start` or `done`.

    Raises:
        InvalidError: There is no such move.
    """
    session, actor = operation.session, visit.user_id
    moves: dict[str, Callable[[], int]] = {
        "accept": lambda: interventions.plan(
            session, step.id, owner=step.owner_id or actor, due=step.due, actor=actor
        ),
        "start": lambda: interventions.start(session, step.id, actor=actor),
        "done": lambda: interventions.finish(session, step.id, actor=actor),
    }
    if to not in moves:
        raise InvalidError("Please choose one of these.")
    moves[to]()


def _plan_another(visit: Visit, student_id: int, case_id: int, reader: FormReader) -> Response:
    action = reader.text("action")
    due = reader.day("due", required=False, earliest=visit.words.today)
    if not reader.is_valid:
        return _again(visit, student_id, reader)
    with visit.operation() as operation:
        found = require_cases(operation.session, visit.scope(Action.CHANGE_CASES), [case_id])[0]
        if found.student_id != student_id:
            raise NotFoundError("There is no such case.")
        made = interventions.suggest(operation.session, case_id, action=action, actor=visit.user_id)
        interventions.plan(
            operation.session, made.id, owner=visit.user_id, due=due, actor=visit.user_id
        )
        operation.record("step.plan", students=[student_id])
    return visit.go(f"/students/{student_id}#steps", done="step")


def _student(visit: Visit, action: Action) -> int:
    student_id = visit.number("student")
    _require(visit.session, visit, action, student_id)
    return student_id


def _require(session: Session, visit: Visit, action: Action, student_id: int) -> None:
    require_students(session, visit.scope(action), [student_id])


def _again(visit: Visit, student_id: int, reader: FormReader) -> Response:
    """Show the page once more, with what was entered and what is wrong with it."""
    state = reader.state()
    return show_page(visit, student_id, forms={state.name: state}, status=422)
