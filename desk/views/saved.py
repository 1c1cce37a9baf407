"""A saved view of the worklist: who is in it, who entered and who left."""

from dataclasses import dataclass

from desk.views.marks import Link
from desk.views.worklist import Empty


@dataclass(frozen=True, slots=True)
class StayRow:
    """A student's stay in the view."""

    name: str
    url: str
    entered: str
    left: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The page."""

    title: str
    lead: str
    links: tuple[Link, ...]
    caption: str
    rows: tuple[StayRow, ...]
    empty: Empty
    delete_action: str
