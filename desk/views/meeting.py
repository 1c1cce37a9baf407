"""A page for a meeting: whom it is about, what to talk about, who does what by when. For print."""

from dataclasses import dataclass

from desk.views.marks import Link, TierMark
from desk.views.worklist import Empty


@dataclass(frozen=True, slots=True)
class Agreed:
    """One line of "X receives Y by Z"."""

    what: str
    who: str
    by: str


@dataclass(frozen=True, slots=True)
class Person:
    """One student of the meeting; `tier` None where the student sits at the table."""

    name: str
    meta: str
    tier: TierMark | None
    estimate: str
    points: tuple[str, ...]
    steps: tuple[Agreed, ...]


@dataclass(frozen=True, slots=True)
class Meeting:
    """The page."""

    title: str
    lead: str
    people: tuple[Person, ...]
    links: tuple[Link, ...]
    empty: Empty
