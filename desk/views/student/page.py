"""A student's page: what is open, what changed, what it rests on, what could help, what happened."""

from dataclasses import dataclass

from desk.charts.risk_line import RiskLine
from desk.charts.scale import Table
from desk.charts.small import Bar, Spark
from desk.forms import Choice, FormState
from desk.views.marks import Link, TierMark


@dataclass(frozen=True, slots=True)
class RiskChart:
    """The estimate over time for both widths, with its table."""

    wide: RiskLine
    narrow: RiskLine
    table: Table


@dataclass(frozen=True, slots=True)
class Reason:
    """What one group of values counts towards.

    Attributes:
        label: Of the group.
        text: What was recorded, in the contract's units, and what it is compared with.
        effect: In words: which way it counts and how strongly.
    """

    label: str
    text: str
    effect: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Reasons:
    """What the estimate rests on, against whom it is compared, and what is missing."""

    sentence: str
    items: tuple[Reason, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A recommended or agreed step.

    Attributes:
        number: Of the intervention in its case; 0 for a recommendation without a case.
        why: The evidence of the rule.
        estimate: The model's estimate for it, marked as such; empty without one.
        details: Owner and effort.
        due: When it is due, `is_urgent` where that is today or has passed.
        state: As a word; empty while it is only recommended.
        feedback: Verdict given so far, in words.
    """

    case_id: int
    number: int
    rule: str
    action: str
    why: str
    estimate: str
    details: str
    due: str
    is_urgent: bool
    state: str
    is_open: bool
    is_suggested: bool
    result: str
    feedback: str
    next_states: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of the timeline; `kind` chooses its mark."""

    when: str
    at: str
    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as this reader may see it."""

    heading: str
    text: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Recent values of one feature."""

    label: str
    spark: Spark | None
    text: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """An open case with what can be done with it."""

    id: int
    version: int
    title: str
    facts: tuple[tuple[str, str], ...]
    states: tuple[Choice, ...]
    owners: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class StudentForms:
    """The forms of the page, with what was entered and what is wrong with it."""

    note: FormState
    contact: FormState
    override: FormState
    state: FormState
    step: FormState
    dismiss: FormState
    today: str
    latest_override: str
    contact_kinds: tuple[Choice, ...]
    verdicts: tuple[Choice, ...]
    dismiss_reasons: tuple[Choice, ...]
    close_reasons: tuple[Choice, ...]
    outcomes: tuple[Choice, ...]
    tiers: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Student:
    """The page.

    Attributes:
        reference: Name and id, shown in every editor, so that nothing lands on the wrong student.
        is_hidden: Why there is no estimate; empty where there is one.
        together: Whether the screen is turned to the student: no tier, no restricted notes.
    """

    title: str
    reference: str
    url: str
    tier: TierMark | None
    chips: tuple[str, ...]
    changed: tuple[str, ...]
    cautions: tuple[str, ...]
    is_hidden: str
    chart: RiskChart | None
    forecast: tuple[str, ...]
    reasons: Reasons | None
    histories: tuple[History, ...]
    steps: tuple[Step, ...]
    done_steps: tuple[Step, ...]
    timeline: tuple[Happened, ...]
    notes: tuple[NoteView, ...]
    restricted: str
    gaps: tuple[str, ...]
    cases: tuple[CaseView, ...]
    assessments: Table | None
    assessment_id: int
    override_id: int
    together: bool
    may_change: bool
    may_write: bool
    may_restrict: bool
    forms: StudentForms
    links: tuple[Link, ...]
