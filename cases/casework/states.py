"""States of cases and interventions, and the tables of the steps that each state allows."""

from collections.abc import Mapping
from enum import StrEnum


class CaseState(StrEnum):
    """Where a case is."""

    NEW = "new"
    SEEN = "seen"
    CONTACTED = "contacted"
    IN_SUPPORT = "in_support"
    WAITING = "waiting"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a case was closed; the last five are set by the desk itself."""

    RESOLVED = "resolved"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    NOT_FITTING = "not_fitting"
    REFERRED = "referred"
    DUPLICATE = "duplicate"
    LEFT = "left"
    SUSPENDED = "suspended"
    OBJECTED = "objected"
    WITHDRAWN = "withdrawn"


class CaseOutcome(StrEnum):
    """How it stands with the concern at closing, in the closing person's judgement."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    """What happened to a case."""

    OPENED = "opened"
    JOINED = "joined"
    TIER_CHANGED = "tier_changed"
    SEEN = "seen"
    ASSIGNED = "assigned"
    CONTACT = "contact"
    SUPPORT_STARTED = "support_started"
    WAITING = "waiting"
    RESUMED = "resumed"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    STEP_PLANNED = "step_planned"
    REFERRED = "referred"
    ESCALATED = "escalated"
    NOTE_WRITTEN = "note_written"
    SUGGESTED = "suggested"
    PLANNED = "planned"
    STARTED = "started"
    FINISHED = "finished"
    DISMISSED = "dismissed"
    REVIEWED = "reviewed"
    CLOSED = "closed"
    REOPENED = "reopened"


class InterventionState(StrEnum):
    """Where an intervention is."""

    SUGGESTED = "suggested"
    PLANNED = "planned"
    UNDER_WAY = "under_way"
    DONE = "done"
    DISMISSED = "dismissed"


class DismissReason(StrEnum):
    """Why a recommended step was not taken."""

    NOT_FITTING = "not_fitting"
    ALREADY_DONE = "already_done"
    DECLINED = "declined"
    WRONG_DATA = "wrong_data"
    NO_CAPACITY = "no_capacity"
    CASE_CLOSED = "case_closed"


class ReviewResult(StrEnum):
    """How the risk moved since an intervention got under way."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSE = "worse"


_S = CaseState
OPEN_STATES: tuple[CaseState, ...] = tuple(
    state for state in CaseState if state is not CaseState.CLOSED
)
_TO_SUPPORT = dict.fromkeys(OPEN_STATES, _S.IN_SUPPORT)

# Event -> state before -> state after. Kinds that are not listed are allowed in every open state
# and leave it as it is.
TRANSITIONS: Mapping[EventKind, Mapping[CaseState, CaseState]] = {
    EventKind.SEEN: {_S.NEW: _S.SEEN},
    EventKind.CONTACT: {
        _S.NEW: _S.CONTACTED,
        _S.SEEN: _S.CONTACTED,
        _S.CONTACTED: _S.CONTACTED,
        _S.IN_SUPPORT: _S.IN_SUPPORT,
        _S.WAITING: _S.CONTACTED,
    },
    EventKind.SUPPORT_STARTED: _TO_SUPPORT,
    EventKind.STARTED: _TO_SUPPORT,
    EventKind.WAITING: {
        _S.SEEN: _S.WAITING,
        _S.CONTACTED: _S.WAITING,
        _S.IN_SUPPORT: _S.WAITING,
        _S.WAITING: _S.WAITING,
    },
    EventKind.RESUMED: {_S.WAITING: _S.CONTACTED},
    EventKind.CLOSED: dict.fromkeys(OPEN_STATES, _S.CLOSED),
    EventKind.REOPENED: {_S.CLOSED: _S.SEEN},
}

_I = InterventionState
OPEN_INTERVENTIONS: tuple[InterventionState, ...] = (_I.SUGGESTED, _I.PLANNED, _I.UNDER_WAY)
INTERVENTION_TRANSITIONS: Mapping[EventKind, Mapping[InterventionState, InterventionState]] = {
    EventKind.PLANNED: {_I.SUGGESTED: _I.PLANNED, _I.PLANNED: _I.PLANNED},
    EventKind.STARTED: {_I.SUGGESTED: _I.UNDER_WAY, _I.PLANNED: _I.UNDER_WAY},
    EventKind.FINISHED: {
        _I.SUGGESTED: _I.DONE,
        _I.PLANNED: _I.DONE,
        _I.UNDER_WAY: _I.DONE,
    },
    EventKind.DISMISSED: dict.fromkeys(OPEN_INTERVENTIONS, _I.DISMISSED),
    EventKind.REVIEWED: {_I.UNDER_WAY: _I.UNDER_WAY, _I.DONE: _I.DONE},
}


def allowed_events(state: CaseState) -> tuple[EventKind, ...]:
    """List the kinds of events that a case in `state` takes, besides its opening."""
    return tuple(
        kind
        for kind in EventKind
        if kind is not EventKind.OPENED and next_state(kind, state) is not None
    )


def next_state(kind: EventKind, state: CaseState) -> CaseState | None:
    """Return the state after an event, None where the state does not allow it."""
    if (listed := TRANSITIONS.get(kind)) is not None:
        return listed.get(state)
    if kind in {EventKind.FINISHED, EventKind.REVIEWED}:
        # What is under way may go on after the case was closed, and is reviewed later.
        return state
    return None if state is CaseState.CLOSED else state
