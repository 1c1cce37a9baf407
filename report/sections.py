"""In which order the page tells what, and which table and figure stands where."""

from collections.abc import Sequence
from dataclasses import dataclass

from report.figures.drawing import Figure
from report.tables import Table

# (anchor, heading, names); a name also stands for all that begin with it and an underscore.
_PLAN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("run", "The run and its data", ("data", "base_rates")),
    ("models", "Risk", ("risk", "confusion", "auc_by_period", "metric_bars", "trajectories")),
    ("meaning", "Do the probabilities mean what they say?", ("calibration", "reliability")),
    ("office", "What an office finds", ("capacity", "lift")),
    (
        "forecast",
        "The score forecast",
        ("score", "subjects", "by_subject", "predicted", "error", "coverage"),
    ),
    ("reading", "What the networks read", ("attention", "contribution", "correlation")),
    ("reasons", "Can reasons and what-if be shown?", ("reasons",)),
    ("groups", "Groups", ("fairness",)),
    ("learning", "How the networks learnt", ("loss", "accuracy")),
    ("cost", "Time and memory", ("complexity",)),
)


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page.

    Attributes:
        anchor: To link to.
        heading: What it is about.
        tables: In order.
        figures: In order.
    """

    anchor: str
    heading: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]


def sections(tables: Sequence[Table], figures: Sequence[Figure]) -> list[Section]:
    """Put tables and figures in their places; sections without any are left out.

    Raises:
        ValueError: A table or figure has no place.
    """
    names = [table.name for table in tables] + [figure.name for figure in figures]
    places = {name: _place(name) for name in names}
    found = [
        Section(
            anchor,
            heading,
            tuple(table for table in tables if places[table.name] == anchor),
            tuple(figure for figure in figures if places[figure.name] == anchor),
        )
        for anchor, heading, _ in _PLAN
    ]
    return [section for section in found if section.tables or section.figures]


def _place(name: str) -> str:
    for anchor, _, names in _PLAN:
        if any(name == known or name.startswith(f"{known}_") for known in names):
            return anchor
    raise ValueError(f"'{name}' has no place in the report")
