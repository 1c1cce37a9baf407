"""Steps and cases of a student's page."""

from collections.abc import Mapping, Sequence
from typing import Any

from cases.casework.states import (
    OPEN_INTERVENTIONS,
    CaseState,
    EventKind,
    InterventionState,
    allowed_events,
)
from cases.reading.student import CaseView as CaseRows
from cases.tables.events import Intervention
from desk.facts import Facts
from desk.forms import Choice, choices
from desk.i18n.words import Words
from desk.views.marks import joined
from desk.views.reasons import evidence_text
from desk.views.student.page import CaseView, Step
from desk.views.words_of_cases import result_label, state_label, step_label, verdicts
from desk.views.worklist_rows import due_text

# What a person may do with a case by the form, and the event that it is.
CASE_MOVES: Mapping[str, EventKind] = {
    "in_support": EventKind.SUPPORT_STARTED,
    "waiting": EventKind.WAITING,
    "closed": EventKind.CLOSED,
}


def steps_of(
    cases: Sequence[CaseRows],
    *,
    advice: Mapping[str, Mapping[str, Any]],
    feedback: Mapping[str, str],
    names: Mapping[int, str],
    facts: Facts,
    words: Words,
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return the open and the ended steps; open ones the most urgent first."""
    open_steps: list[tuple[tuple[int, str], Step]] = []
    ended: list[Step] = []
    for case in cases:
        for one in case.interventions:
            step = _step(
                one, advice=advice, feedback=feedback, names=names, facts=facts, words=words
            )
            if one.state in OPEN_INTERVENTIONS and case.case.state != CaseState.CLOSED:
                is_new = one.state == InterventionState.SUGGESTED
                order = (int(is_new), one.due.isoformat() if one.due else "9")
                open_steps.append((order, step))
            else:
                ended.append(step)
    return tuple(step for _, step in sorted(open_steps, key=lambda pair: pair[0])), tuple(ended)


def case_view(
    rows: CaseRows,
    names: Mapping[int, str],
    people: Sequence[tuple[int, str]],
    words: Words,
) -> CaseView:
    """Return an open case with what can be done with it."""
    case = rows.case
    due, _ = due_text(case.due, words)
    attempts = words.many("{count} try", "{count} tries", case.attempts) if case.attempts else ""
    facts = [
        (words("State"), f"{state_label(case.state, words)}, {_since(rows, words)}"),
        (words("Owner"), names.get(case.owner_id or 0, "") or words("no one yet")),
        (
            words("Last contact"),
            words.day(case.last_contact_at) if case.last_contact_at else words("none yet"),
        ),
        (words("Without answer"), attempts),
        (words("Next step"), case.next_step or words("to be agreed")),
        (words("By"), due),
        (words("Raised by"), names.get(case.raised_by or 0, "")),
    ]
    title = (
        words("Case: {topic}", topic=case.topic)
        if case.origin == "person"
        else words("Case from the estimate")
    )
    allowed = set(allowed_events(CaseState(case.state)))
    moves = [("", words("as it is: {state}", state=state_label(case.state, words)))]
    moves += [
        (state, state_label(state, words)) for state, kind in CASE_MOVES.items() if kind in allowed
    ]
    owners = choices(
        [("0", words("No one yet")), *((str(n), name) for n, name in people)],
        str(case.owner_id or 0),
    )
    return CaseView(
        id=case.id,
        version=case.version,
        title=title,
        facts=tuple((label, text) for label, text in facts if text),
        states=choices(moves, ""),
        owners=owners,
    )


def _step(
    one: Intervention,
    *,
    advice: Mapping[str, Mapping[str, Any]],
    feedback: Mapping[str, str],
    names: Mapping[int, str],
    facts: Facts,
    words: Words,
) -> Step:
    given = advice.get(one.rule or "", {})
    due, is_urgent = due_text(None if one.ended_at else one.due, words)
    owner = names.get(one.owner_id or 0, "") or facts.owner_label(one.owner_role)
    rule = facts.rules.get(one.rule or "")
    effort = words.many("{count} minute", "{count} minutes", rule.effort_minutes) if rule else ""
    if due and one.due is not None and one.due >= words.today:
        due = words("by {day}", day=due)
    why = evidence_text(given, facts, words) if given else ""
    is_suggested = one.state == InterventionState.SUGGESTED
    verdict = dict(verdicts(words)).get(feedback.get(one.rule or "", ""), "")
    return Step(
        case_id=one.case_id,
        number=one.number,
        rule=one.rule or "",
        action=one.action,
        why=words.sentence(why) if why else "",
        estimate=estimated_change(given, words),
        details=joined([owner, effort]),
        due=due,
        is_urgent=is_urgent,
        state="" if is_suggested else step_label(one.state, words),
        is_open=one.state in OPEN_INTERVENTIONS,
        is_suggested=is_suggested,
        result=result_label(one.result, words),
        feedback=words("Feedback: {verdict}", verdict=verdict) if verdict else "",
        next_states=_next_states(one.state, words),
    )


def estimated_change(advice: Mapping[str, Any], words: Words) -> str:
    """Return the model's estimate for a step, marked as one; empty where none was asked for."""
    estimate = advice.get("estimate") or {}
    risk, change = estimate.get("risk"), estimate.get("change")
    if not isinstance(risk, int | float) or not isinstance(change, int | float):
        return ""
    return words(
        "The model’s estimate, no promise: about {before} → {after}.",
        before=words.percent(risk - change),
        after=words.percent(risk),
    )


def _next_states(state: str, words: Words) -> tuple[Choice, ...]:
    moves = {
        InterventionState.PLANNED: [("done", words("Done")), ("start", words("Under way"))],
        InterventionState.UNDER_WAY: [("done", words("Done"))],
    }
    return choices(moves.get(InterventionState(state), []))


def _since(rows: CaseRows, words: Words) -> str:
    days = (words.today - rows.case.state_since.date()).days
    if days <= 0:
        return words("since today")
    return words.many("for {count} day", "for {count} days", days)
