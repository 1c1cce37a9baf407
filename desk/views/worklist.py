"""The worklist: open cases in the order of need, and what can be done with several at once."""

from dataclasses import dataclass

from desk.charts.small import Places, Spark
from desk.forms import Choice, FormState
from desk.views.marks import ChangeMark, Link, TierMark


@dataclass(frozen=True, slots=True)
class Select:
    """A filter with its entries."""

    name: str
    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class FilterForm:
    """The filters above the list; they stand in the address, so that a list can be kept and sent.

    Attributes:
        encoded: The filters as they stand in the address, for saving them as a view.
    """

    action: str
    query: str
    selects: tuple[Select, ...]
    is_active: bool
    encoded: str


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column; `sort` as `aria-sort` wants it."""

    label: str
    style: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Heads that stand beside each value where the table is shown as a list."""

    reason: str
    contact: str
    next: str


@dataclass(frozen=True, slots=True)
class Row:
    """One case."""

    case_id: int
    name: str
    url: str
    meta: str
    tier: TierMark | None
    estimate: str
    spark: Spark | None
    change: ChangeMark | None
    reason: str
    last_contact: str
    next_step: str
    due: str
    is_urgent: bool
    owner: str
    state: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Links to the first and the next page."""

    label: str
    previous: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands where there are no rows."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Worklist:
    """The page."""

    title: str
    lead: str
    capacity: Places | None
    news_url: str
    filters: FilterForm
    saved: tuple[Link, ...]
    caption: str
    beside: tuple[Link, ...]
    columns: tuple[Column, ...]
    labels: Labels
    rows: tuple[Row, ...]
    pages: Pages
    empty: Empty
    may_change: bool
    bulk_action: str
    export_url: str
    may_save: bool
    save_form: FormState


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since a page was opened; empty text for nothing."""

    text: str
    link: Link
