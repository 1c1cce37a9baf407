"""What happened about a student: the timeline, its marks on the chart, and notes."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cases.casework.notes import NoteView as NoteRow
from cases.casework.states import EventKind
from cases.reading.student import CaseView, EventView
from cases.tables.records import Assessment
from desk.charts.risk_line import Event
from desk.facts import Facts
from desk.i18n.words import Words
from desk.views.marks import joined
from desk.views.student.page import Happened, NoteView
from desk.views.words_of_cases import close_label, contact_label, dismiss_reasons, result_label

_KINDS = {
    EventKind.CONTACT: "contact",
    EventKind.PLANNED: "intervention",
    EventKind.STARTED: "intervention",
    EventKind.FINISHED: "intervention",
    EventKind.DISMISSED: "intervention",
    EventKind.REVIEWED: "intervention",
    EventKind.OPENED: "assessment",
    EventKind.TIER_CHANGED: "assessment",
}
_STEPS = {
    EventKind.PLANNED,
    EventKind.STARTED,
    EventKind.FINISHED,
    EventKind.DISMISSED,
    EventKind.REVIEWED,
}
# They say nothing that the page does not show elsewhere.
_LEFT_OUT = {EventKind.SUGGESTED, EventKind.NOTE_WRITTEN, EventKind.SEEN}


def timeline_of(
    events: Sequence[EventView],
    cases: Sequence[CaseView],
    names: Mapping[int, str],
    facts: Facts,
    words: Words,
    *,
    together: bool,
) -> tuple[Happened, ...]:
    """Return what happened, the newest first.

    Args:
        events: Of all cases of the student.
        cases: The same cases, for the words of their interventions.
        names: Of users.
        facts: Labels of tiers.
        words: Language.
        together: Whether the student looks on: no tiers, nothing that was written in confidence.
    """
    actions = {
        (one.case_id, one.number): one.action for case in cases for one in case.interventions
    }
    teller = _Teller(actions, names, facts, words, together)
    happened = []
    for event in reversed(events):
        if event.kind in _LEFT_OUT or (together and event.kind is EventKind.TIER_CHANGED):
            continue
        title, text = teller.tell(event)
        if title:
            day = event.payload.get("on") or event.at
            moment = datetime.fromisoformat(day) if isinstance(day, str) else day
            happened.append(
                Happened(
                    when=words.day(moment),
                    at=moment.date().isoformat(),
                    kind=_KINDS.get(event.kind, "other"),
                    title=title,
                    text=text,
                )
            )
    return tuple(happened)


def chart_events(
    events: Sequence[EventView], made: Sequence[Assessment], words: Words
) -> tuple[Event, ...]:
    """Return contacts and steps on the axis of periods, ascending.

    What happened between the assessments of two periods stands between them.
    """
    ordered = sorted((one.made_at, one.period) for one in made)
    moments = [moment for moment, _ in ordered]
    marks = []
    for event in events:
        label = {
            EventKind.CONTACT: contact_label(str(event.payload.get("how", "")), words),
            EventKind.STARTED: words("step begun"),
            EventKind.FINISHED: words("step done"),
        }.get(event.kind)
        position = bisect_right(moments, event.at)
        if label and position:
            marks.append(Event(ordered[position - 1][1] + 0.4, label))
    return tuple(sorted(marks, key=lambda mark: mark.period))


def notes_of(
    rows: Sequence[NoteRow], names: Mapping[int, str], words: Words, *, together: bool
) -> tuple[NoteView, ...]:
    """Return notes as this reader may see them; with the student neither drafts nor restricted ones."""
    shown = []
    for row in rows:
        if together and (row.is_draft or row.restricted_by is not None):
            continue
        contact = contact_label(row.contact, words) if row.contact else None
        marks = []
        if row.is_draft:
            marks.append(words("draft"))
        if row.restricted_by is not None:
            by = names.get(row.restricted_by, "")
            marks.append(words("restricted by {name}", name=by) if by else words("restricted"))
        if row.edited_at is not None:
            marks.append(words("edited {day}", day=words.day(row.edited_at)))
        heading = joined([words.day(row.happened_on), names.get(row.author_id), contact])
        shown.append(NoteView(heading, row.text, tuple(marks)))
    return tuple(shown)


def people_of(events: Sequence[EventView], notes: Sequence[NoteRow]) -> set[int | None]:
    """Return the numbers of the users whom timeline and notes name."""
    people: set[int | None] = {event.actor_id for event in events}
    people |= {event.payload.get("to") for event in events if event.kind is EventKind.ASSIGNED}
    people |= {note.author_id for note in notes} | {note.restricted_by for note in notes}
    return people


@dataclass(frozen=True, slots=True)
class _Teller:
    """Puts events into words.

    Attributes:
        actions: Words of interventions by case and number.
        together: Whether the student looks on: nothing that was written in confidence.
    """

    actions: Mapping[tuple[int, int], str]
    names: Mapping[int, str]
    facts: Facts
    words: Words
    together: bool

    def tell(self, event: EventView) -> tuple[str, str]:
        """Return a title and a text; an empty title where nothing is shown."""
        words, payload = self.words, event.payload
        by = self.names.get(event.actor_id or 0, "")
        if event.kind in _STEPS:
            return self._step(event, by)
        written = "" if self.together else _written(payload)
        match event.kind:
            case EventKind.OPENED if payload.get("origin") == "person":
                return words("A concern was raised"), joined([by, written])
            case EventKind.ASSIGNED:
                to = self.names.get(payload.get("to") or 0, "") or words("no one yet")
                return words("Given to {name}", name=to), ""
            case EventKind.CONTACT:
                how = words.sentence(contact_label(str(payload.get("how", "")), words))
                answered = words("answered") if payload.get("answered") else words("no answer yet")
                return how.removesuffix("."), joined([by, answered, written])
            case EventKind.CLOSED:
                written = close_label(payload.get("reason"), words)
            case EventKind.OPENED | EventKind.TIER_CHANGED:
                written = self._tier(payload)
            case _:
                pass
        return self._title(event.kind), written

    def _step(self, event: EventView, by: str) -> tuple[str, str]:
        words, payload = self.words, event.payload
        action = self.actions.get((event.case_id, payload.get("number", 0)), "")
        more = {
            EventKind.PLANNED: by,
            EventKind.DISMISSED: dict(dismiss_reasons(words)).get(payload.get("reason", ""), ""),
            EventKind.REVIEWED: result_label(payload.get("result"), words),
        }.get(event.kind, "")
        return self._title(event.kind), joined([action, more])

    def _tier(self, payload: Mapping[str, Any]) -> str:
        tier = payload.get("tier")
        if not isinstance(tier, str) or self.together:
            return ""
        label = self.facts.tiers.labels.get(tier, tier)
        return self.words("The estimate is in “{tier}”", tier=label)

    def _title(self, kind: EventKind) -> str:
        words = self.words
        return {
            EventKind.OPENED: words("Case opened"),
            EventKind.JOINED: words("A further alert joined the case"),
            EventKind.TIER_CHANGED: words("The tier changed"),
            EventKind.PLANNED: words("Step agreed"),
            EventKind.STARTED: words("Step under way"),
            EventKind.FINISHED: words("Step done"),
            EventKind.DISMISSED: words("Step not taken"),
            EventKind.REVIEWED: words("Step reviewed"),
            EventKind.SUPPORT_STARTED: words("Support began"),
            EventKind.WAITING: words("Waiting"),
            EventKind.RESUMED: words("Waiting ended"),
            EventKind.SNOOZED: words("Snoozed"),
            EventKind.SNOOZE_ENDED: words("Back on the list"),
            EventKind.STEP_PLANNED: words("Next step set"),
            EventKind.REFERRED: words("Another office was asked to help"),
            EventKind.ESCALATED: words("Passed on after several tries"),
            EventKind.REOPENED: words("Case opened again"),
            EventKind.CLOSED: words("Case closed"),
        }.get(kind, "")


def _written(payload: Mapping[str, Any]) -> str:
    return str(payload.get("words") or payload.get("reason") or payload.get("next_step") or "")
