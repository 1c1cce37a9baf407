"""When periods are: dates by contract and programme, and working days around holidays."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from cases.errors import InvalidError
from cases.tables.calendar import CalendarPeriod, Holiday

EVERY_PROGRAMME = "*"


def set_periods(
    session: Session, contract: str, programme: str, periods: Sequence[tuple[date, date]]
) -> None:
    """Set first and last day of each period from the first; `*` is every programme.

    Raises:
        InvalidError: A period ends before it starts, or before the one before it ended.
    """
    last: date | None = None
    for number, (starts_on, ends_on) in enumerate(periods, 1):
        if ends_on < starts_on or (last is not None and starts_on <= last):
            raise InvalidError(f"Period {number} must begin after the one before and end later.")
        last = ends_on
    session.execute(
        delete(CalendarPeriod).where(
            CalendarPeriod.contract == contract, CalendarPeriod.programme == programme
        )
    )
    session.add_all(
        CalendarPeriod(
            contract=contract,
            programme=programme,
            period=number,
            starts_on=starts_on,
            ends_on=ends_on,
        )
        for number, (starts_on, ends_on) in enumerate(periods, 1)
    )
    session.flush()


def periods_of(session: Session, contract: str, programme: str) -> list[CalendarPeriod]:
    """Return the periods of a programme, or of every programme where it has none of its own."""
    for name in (programme, EVERY_PROGRAMME):
        found = session.scalars(
            select(CalendarPeriod)
            .where(CalendarPeriod.contract == contract, CalendarPeriod.programme == name)
            .order_by(CalendarPeriod.period)
        ).all()
        if found:
            return list(found)
    return []


def period_at(session: Session, contract: str, programme: str, day: date) -> int | None:
    """Return the period that a day belongs to: the last one that has begun; None before all."""
    begun = [one for one in periods_of(session, contract, programme) if one.starts_on <= day]
    return begun[-1].period if begun else None


def add_holiday(
    session: Session, *, starts_on: date, ends_on: date, name: str, programme: str = "*"
) -> Holiday:
    """Add days on which no action is expected.

    Raises:
        InvalidError: They end before they start.
    """
    if ends_on < starts_on:
        raise InvalidError("A holiday ends on its first day at the earliest.")
    holiday = Holiday(programme=programme, starts_on=starts_on, ends_on=ends_on, name=name)
    session.add(holiday)
    session.flush()
    return holiday


def add_working_days(session: Session, day: date, days: int, programme: str = "*") -> date:
    """Return the day that lies so many working days after another: no weekends, no holidays."""
    holidays = session.scalars(
        select(Holiday).where(
            or_(Holiday.programme == programme, Holiday.programme == EVERY_PROGRAMME),
            Holiday.ends_on >= day,
        )
    ).all()
    left = days
    while left > 0:
        day += timedelta(days=1)
        is_free = any(one.starts_on <= day <= one.ends_on for one in holidays)
        if day.weekday() < 5 and not is_free:
            left -= 1
    return day
