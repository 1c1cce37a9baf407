"""Do something with several cases at once: give them to a person, snooze them, meet about them."""

from datetime import timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from access.roles import Action
from cases.casework.lifecycle import assign, snooze
from cases.errors import InvalidError
from cases.reading.students import names_of
from cases.tables.events import Case
from desk.context import Visit
from desk.forms import FormReader, FormState, choices
from desk.queries import colleagues
from desk.rights import require_cases
from desk.views.selected import Selected

_MOST = 200
_LONGEST_SNOOZE = timedelta(days=120)


def choose(visit: Visit) -> Response:
    """Ask for what is needed to do something with the ticked cases."""
    reader = visit.reader("selected")
    wanted = str(visit.form.get("do", ""))
    ids = reader.wholes("case", most=_MOST)
    back = visit.back("/worklist")
    if not ids:
        raise InvalidError("Tick at least one student first.")
    if wanted == "meeting":
        return visit.go("/meeting?" + urlencode([("case", case_id) for case_id in ids]))
    cases = require_cases(visit.session, visit.scope(Action.CHANGE_CASES), ids)
    if wanted == "snooze":
        return visit.page("selected.html", _snooze_view(visit, cases, back, FormState("selected")))
    return visit.page("selected.html", _assign_view(visit, cases, back, FormState("selected")))


def assign_all(visit: Visit) -> Response:
    """Give the chosen cases to a person."""
    reader = visit.reader("selected")
    back = visit.back("/worklist")
    people = {str(user_id) for user_id, _ in colleagues(visit.session)}
    chosen = reader.choice("person", {*people, "0"})
    if not reader.is_valid:
        cases = _cases(visit, reader)
        return visit.page("selected.html", _assign_view(visit, cases, back, reader.state()), 422)
    with visit.operation() as operation:
        cases = require_cases(
            operation.session, visit.scope(Action.CHANGE_CASES), reader.wholes("case", most=_MOST)
        )
        for case in cases:
            assign(operation.session, case.id, to=int(chosen) or None, actor=visit.user_id)
        operation.record("case.assigned", students={case.student_id for case in cases})
    return visit.go(back, done="assigned")


def snooze_all(visit: Visit) -> Response:
    """Hide the chosen cases until a day, with a reason."""
    reader = visit.reader("selected")
    back = visit.back("/worklist")
    today = visit.words.today
    until = reader.day("until", earliest=today + timedelta(days=1), latest=today + _LONGEST_SNOOZE)
    reason = reader.text("reason")
    if not reader.is_valid or until is None:
        cases = _cases(visit, reader)
        return visit.page("selected.html", _snooze_view(visit, cases, back, reader.state()), 422)
    with visit.operation() as operation:
        cases = require_cases(
            operation.session, visit.scope(Action.CHANGE_CASES), reader.wholes("case", most=_MOST)
        )
        for case in cases:
            snooze(operation.session, case.id, until=until, reason=reason, actor=visit.user_id)
        operation.record("case.snoozed", students={case.student_id for case in cases})
    return visit.go(back, done="snoozed")


def _cases(visit: Visit, reader: FormReader) -> list[Case]:
    ids = reader.wholes("case", most=_MOST)
    return require_cases(visit.session, visit.scope(Action.CHANGE_CASES), ids)


def _assign_view(visit: Visit, cases: list[Case], back: str, form: FormState) -> Selected:
    words = visit.words
    people = [(str(user_id), name) for user_id, name in colleagues(visit.session)]
    return Selected(
        title=words("Assign"),
        lead=words("The owner is who acts next. Who looks after the student does not change."),
        form=form,
        action=visit.url("/worklist/assign"),
        back=back,
        id_name="case",
        ids=tuple(case.id for case in cases),
        names=_names(visit, cases),
        button=words("Assign"),
        people_label=words("Owner"),
        people=choices([*people, ("0", words("No one yet"))], str(visit.user_id)),
    )


def _snooze_view(visit: Visit, cases: list[Case], back: str, form: FormState) -> Selected:
    words = visit.words
    return Selected(
        title=words("Snooze"),
        lead=words("The cases leave the list until the day, and come back earlier on a new alert."),
        form=form,
        action=visit.url("/worklist/snooze"),
        back=back,
        id_name="case",
        ids=tuple(case.id for case in cases),
        names=_names(visit, cases),
        button=words("Snooze"),
        asks_until=True,
        earliest=(words.today + timedelta(days=1)).isoformat(),
    )


def _names(visit: Visit, cases: list[Case]) -> str:
    names = names_of(visit.session, {case.student_id for case in cases})
    listed = [names.get(case.student_id, str(case.student_id)) for case in cases[:20]]
    more = len(cases) - len(listed)
    if more > 0:
        listed.append(visit.words.many("{count} more", "{count} more", more))
    return visit.words.listing(listed)
