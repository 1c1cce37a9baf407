"""Figures of time and memory against students and periods."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import altair as alt

from report.complexity import Measured
from report.figures.drawing import Figure, base, colour


def complexity_figures(measured: Sequence[Measured]) -> Iterator[Figure]:
    """Draw them, where there is something measured."""
    if not measured:
        return
    yield Figure(
        "complexity_time",
        "CPU time of a fit against students and periods",
        _panels(measured, "fit_seconds", "CPU seconds", logarithmic=True),
        _told(measured, "CPU time of a fit", "fit_seconds", "s"),
        wide=True,
    )
    yield Figure(
        "complexity_memory",
        "Memory of a fit against students and periods",
        _panels(measured, "megabytes", "MB above what stood before", logarithmic=False),
        _told(measured, "Peak memory", "megabytes", "MB"),
        wide=True,
    )


def _panels(measured: Sequence[Measured], field: str, title: str, *, logarithmic: bool) -> Any:
    models = list(dict.fromkeys(one.model for one in measured))
    most, longest = max(m.students for m in measured), max(m.periods for m in measured)
    kind: Literal["log", "linear"] = "log" if logarithmic else "linear"
    panels = []
    for axis, kept in (
        ("students", [m for m in measured if m.periods == longest]),
        ("periods", [m for m in measured if m.students == most]),
    ):
        rows = [{"model": m.model, axis: getattr(m, axis), field: getattr(m, field)} for m in kept]
        sizes = sorted({int(row[axis]) for row in rows})
        panels.append(
            base(rows, width=470, height=260)
            .mark_line(point=True)
            .encode(
                x=alt.X(
                    f"{axis}:Q",
                    scale=alt.Scale(type=kind, domain=[sizes[0], sizes[-1]], nice=False),
                    axis=alt.Axis(values=sizes, format=",d", labelOverlap=False),
                ),
                y=alt.Y(f"{field}:Q", title=title, scale=alt.Scale(type=kind)),
                color=colour("model", models),
            )
        )
    return alt.hconcat(*panels)


def _told(measured: Sequence[Measured], what: str, field: str, unit: str) -> str:
    largest: dict[str, Measured] = {}
    for one in measured:
        held = largest.get(one.model)
        if held is None or (one.students, one.periods) > (held.students, held.periods):
            largest[one.model] = one
    listed = ", ".join(f"{name} {getattr(one, field):.3g} {unit}" for name, one in largest.items())
    size = next(iter(largest.values()))
    return f"{what} at {size.students:,} students and {size.periods} periods: {listed}."
