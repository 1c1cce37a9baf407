"""The cohort: tiers now and over time, who moved, what counts most, who has not been reached."""

from dataclasses import dataclass

from desk.charts.stacked import Columns
from desk.views.marks import TierMark
from desk.views.worklist import Empty, Select


@dataclass(frozen=True, slots=True)
class Figure:
    """How many students are in a tier; `url` empty where the reader may not see students."""

    mark: TierMark
    count: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for both widths."""

    title: str
    wide: Columns
    narrow: Columns


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list: what, how much, and who is behind it."""

    label: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A short list with its sentence."""

    title: str
    text: str
    items: tuple[Item, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """The page."""

    title: str
    lead: str
    action: str
    filters: tuple[Select, ...]
    tiers: tuple[Figure, ...]
    over_time: Chart | None
    distribution: Chart | None
    lists: tuple[Listing, ...]
    empty: Empty | None
