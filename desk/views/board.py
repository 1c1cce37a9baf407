"""The board of interventions: one lane a state; cards move by menu as well as by drag."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cases.casework.states import InterventionState
from cases.reading.board import BoardCard, BoardColumn
from desk.facts import Facts
from desk.forms import Choice, choices
from desk.i18n.words import Words
from desk.views.words_of_cases import result_label, step_label
from desk.views.worklist import Select
from desk.views.worklist_rows import due_text

# Which lanes a card may move to, and what that does with its step.
MOVES: Mapping[InterventionState, Mapping[InterventionState, str]] = {
    InterventionState.SUGGESTED: {
        InterventionState.PLANNED: "accept",
        InterventionState.UNDER_WAY: "start",
        InterventionState.DONE: "done",
    },
    InterventionState.PLANNED: {
        InterventionState.UNDER_WAY: "start",
        InterventionState.DONE: "done",
    },
    InterventionState.UNDER_WAY: {InterventionState.DONE: "done"},
}
# A step is dismissed with a reason, on the student's page; here it would only fill a lane.
LANES = (
    InterventionState.SUGGESTED,
    InterventionState.PLANNED,
    InterventionState.UNDER_WAY,
    InterventionState.DONE,
)


@dataclass(frozen=True, slots=True)
class Card:
    """One intervention."""

    case_id: int
    number: int
    name: str
    url: str
    action: str
    owner: str
    due: str
    is_urgent: bool
    result: str
    moves: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """The interventions of one state; `more` tells how many are not shown."""

    state: str
    label: str
    count: str
    cards: tuple[Card, ...]
    more: str


@dataclass(frozen=True, slots=True)
class Board:
    """The page."""

    title: str
    lead: str
    filters_action: str
    selects: tuple[Select, ...]
    action: str
    lanes: tuple[Lane, ...]


def lanes_of(
    columns: Sequence[BoardColumn],
    names: Mapping[int, str],
    facts: Facts,
    url: Callable[[str], str],
    words: Words,
    *,
    may_change: bool,
) -> tuple[Lane, ...]:
    """Return the lanes with their cards."""
    lanes = []
    for column in columns:
        if column.state not in LANES:
            continue
        cards = tuple(
            _card(card, names, facts, url, words, may_change=may_change) for card in column.cards
        )
        rest = column.total - len(cards)
        more = words.many("{count} more is not shown", "{count} more are not shown", rest)
        lanes.append(
            Lane(
                state=column.state.value,
                label=step_label(column.state, words),
                count=words.number(column.total),
                cards=cards,
                more=more if rest else "",
            )
        )
    return tuple(lanes)


def _card(
    card: BoardCard,
    names: Mapping[int, str],
    facts: Facts,
    url: Callable[[str], str],
    words: Words,
    *,
    may_change: bool,
) -> Card:
    state = InterventionState(card.state)
    due, is_urgent = (
        due_text(card.due, words) if state is not InterventionState.DONE else ("", False)
    )
    moves = MOVES.get(state, {}) if may_change else {}
    return Card(
        case_id=card.case_id,
        number=card.intervention_id,
        name=card.name,
        url=url(f"/students/{card.student_id}#steps"),
        action=card.action,
        owner=names.get(card.owner_id or 0, "") or facts.owner_label(card.owner_role),
        due=due,
        is_urgent=is_urgent,
        result=result_label(card.result, words),
        moves=choices([(to.value, step_label(to, words)) for to in moves]),
    )
