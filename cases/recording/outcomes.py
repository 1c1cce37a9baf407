"""What became of enrolments, by definitions that were fixed beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.tables.people import Enrolment
from cases.tables.records import Outcome
from database.base import utc_now

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """An outcome of one enrolment.

    Attributes:
        key: The source's key of the enrolment.
        definition: Such as `risk`, the contract's target, or `score`.
        period: Period that it belongs to; 0 for the enrolment as a whole.
    """

    key: str
    definition: str
    value: float
    period: int = 0
    happened_on: date | None = None


def set_outcomes(
    session: Session,
    contract: str,
    rows: Sequence[OutcomeRow],
    *,
    source: str,
    at: datetime | None = None,
) -> list[str]:
    """Record outcomes; one that was recorded already is corrected.

    Returns:
        Keys without an enrolment, whose rows were left out.
    """
    at = at or utc_now()
    keys = sorted({row.key for row in rows})
    enrolments: dict[str, int] = {}
    stored: dict[tuple[int, str, int], Outcome] = {}
    for start in range(0, len(keys), _AT_ONCE):
        found = session.execute(
            select(Enrolment.key, Enrolment.id).where(
                Enrolment.contract == contract,
                Enrolment.source == source,
                Enrolment.key.in_(keys[start : start + _AT_ONCE]),
            )
        )
        chunk = {row.key: row.id for row in found}
        enrolments.update(chunk)
        for one in session.scalars(select(Outcome).where(Outcome.enrolment_id.in_(chunk.values()))):
            stored[one.enrolment_id, one.definition, one.period] = one
    for row in rows:
        if (enrolment_id := enrolments.get(row.key)) is None:
            continue
        place = enrolment_id, row.definition, row.period
        if (outcome := stored.get(place)) is None:
            outcome = Outcome(
                enrolment_id=enrolment_id, definition=row.definition, period=row.period
            )
            session.add(outcome)
            stored[place] = outcome
        outcome.value, outcome.happened_on = row.value, row.happened_on
        outcome.known_at, outcome.source = at, source
    session.flush()
    return [key for key in keys if key not in enrolments]
