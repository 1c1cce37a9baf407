"""Saved views of the worklist, and who entered and left them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class SavedView(Base):
    """A named filter of the worklist.

    Attributes:
        filters: As `cases.reading.filters.Filters.to_json` writes them.
    """

    __tablename__ = "saved_views"
    __table_args__ = (Index("uq_saved_views_name", "user_id", "name", unique=True),)
    id: Mapped[RowId]
    user_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(100))
    filters: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class ViewMember(Base):
    """A case's stay in a view; a case that comes back gets another row."""

    __tablename__ = "view_members"
    __table_args__ = (Index("ix_view_members_view", "view_id", "left_at"),)
    id: Mapped[RowId]
    view_id: Mapped[int] = mapped_column(ForeignKey("saved_views.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    entered_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
