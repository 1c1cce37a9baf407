"""When periods are, and how long rows are stored."""

from datetime import date

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class CalendarPeriod(Base):
    """First and last day of a period of a contract, for a programme or for all.

    Attributes:
        programme: Code, or `*` for every programme without an entry of its own.
    """

    __tablename__ = "calendar_periods"
    contract: Mapped[str] = mapped_column(String(64), primary_key=True)
    programme: Mapped[str] = mapped_column(String(64), primary_key=True)
    period: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts_on: Mapped[date]
    ends_on: Mapped[date]


class Holiday(Base):
    """Days on which no action is expected; due dates move past them."""

    __tablename__ = "holidays"
    __table_args__ = (Index("ix_holidays_programme", "programme", "starts_on"),)
    id: Mapped[RowId]
    programme: Mapped[str] = mapped_column(String(64))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    name: Mapped[str] = mapped_column(String(100))


class RetentionRule(Base):
    """How many days rows of a kind are stored after the enrolment ended."""

    __tablename__ = "retention_rules"
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    days: Mapped[int]
