"""Lists of students: found by name or number, or without anybody who looks after them."""

from dataclasses import dataclass

from desk.views.marks import TierMark
from desk.views.worklist import Empty


@dataclass(frozen=True, slots=True)
class StudentRow:
    """One student."""

    id: int
    name: str
    url: str
    meta: str
    tier: TierMark | None
    estimate: str
    case: str


@dataclass(frozen=True, slots=True)
class Students:
    """The page.

    Attributes:
        may_assign: Whether ticked students can be assigned to somebody.
    """

    title: str
    lead: str
    has_search: bool
    action: str
    query: str
    caption: str
    rows: tuple[StudentRow, ...]
    next_url: str
    empty: Empty | None
    may_assign: bool
    assign_action: str
