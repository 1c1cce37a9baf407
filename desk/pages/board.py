"""The board of interventions, a second view of the worklist's cases."""

from starlette.responses import Response

from access.roles import Action
from cases.casework.states import InterventionState
from cases.errors import NotAllowedError, NotFoundError
from cases.reading.board import board
from desk.context import Visit
from desk.pages.student_actions import move_step
from desk.queries import programmes_and_students, user_names
from desk.rights import require_step
from desk.views.board import LANES, MOVES, Board, lanes_of
from desk.views.filters import filter_form, filters_from

_CARDS = 25


def show(visit: Visit) -> Response:
    """Show the interventions of open cases by state."""
    words, facts, scope = visit.words, visit.facts, visit.scope()
    filters = filters_from(visit.query, visit.user_id)
    columns = board(visit.session, scope, filters, limit=_CARDS, now=visit.at)
    owners = {card.owner_id for column in columns for card in column.cards}
    codes, _ = programmes_and_students(visit.session, scope)
    form = filter_form(filters, visit.url("/board"), codes, facts.tiers, words)
    view = Board(
        title=words("Interventions"),
        lead=words(
            "Steps of open cases, those due first. Move a card by its menu, or drag it. "
            "A step is dismissed on the student’s page, with a reason."
        ),
        filters_action=form.action,
        selects=tuple(one for one in form.selects if one.name in {"programme", "owner"}),
        action=visit.url("/board"),
        lanes=lanes_of(
            columns,
            user_names(visit.session, owners),
            facts,
            visit.url,
            words,
            may_change=visit.may(Action.CHANGE_CASES),
        ),
    )
    return visit.page("board.html", view)


def move(visit: Visit) -> Response:
    """Move a card to another lane."""
    reader = visit.reader("board")
    step_id = reader.whole("number")
    to = reader.choice("to", [lane.value for lane in LANES])
    if step_id is None or not reader.is_valid:
        raise NotFoundError("There is no such step.")
    with visit.operation() as operation:
        step = require_step(operation.session, visit.scope(Action.CHANGE_CASES), step_id)
        moves = MOVES.get(InterventionState(step.state), {})
        if to not in moves:
            raise NotAllowedError("This step does not move there.")
        move_step(visit, operation, step, moves[InterventionState(to)])
        operation.record("step.moved", students=[step.student_id], to=to)
    return visit.go("/board", done="moved")
