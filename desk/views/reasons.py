"""Reasons in words: what was recorded, in the contract's units, beside what it is compared with.

A reason counts towards an estimate or against it; it is never said to cause anything.
"""

from collections.abc import Mapping
from typing import Any

from desk.charts.small import reason_bars
from desk.facts import Facts
from desk.i18n.words import Words
from desk.views.student.page import Reason, Reasons

_STRONG, _SLIGHT = 0.3, 0.1


def first_reason(
    reasons: Mapping[str, Any] | None, recommendations: list[Any], facts: Facts, words: Words
) -> str:
    """Return what counts most towards the estimate, short; empty where nothing is recorded."""
    for group in (reasons or {}).get("groups", ()):
        if group.get("direction") == "towards":
            return _group_text(group, words) or str(group.get("group", ""))
    for advice in recommendations:
        if text := evidence_text(advice, facts, words):
            return text
    return ""


def reasons_view(reasons: Mapping[str, Any], words: Words) -> Reasons:
    """Return the reasons of an assessment as they are shown: at most five, the largest first."""
    groups = list(reasons.get("groups", ()))[:5]
    bars = reason_bars([float(group.get("effect", 0)) for group in groups])
    items = tuple(
        Reason(
            str(group.get("group", "")),
            _group_text(group, words, heading=str(group.get("group", ""))),
            _effect(group, words),
            bar,
        )
        for group, bar in zip(groups, bars, strict=True)
    )
    return Reasons(_compared(reasons, words), items, _notes(reasons, words))


def value_text(value: Any, unit: str, words: Words) -> str:
    """Write a recorded value with its unit."""
    if value is None:
        return words("not known")
    if isinstance(value, bool):
        return words("yes") if value else words("no")
    if isinstance(value, int | float):
        written = words.number(value, 1)
        if unit == "%":
            return f"{written}%"
        # "Index" says nothing that the label does not say.
        return written if unit in {"", "index"} else f"{written} {unit}"
    return str(value)


def evidence_text(advice: Mapping[str, Any], facts: Facts, words: Words) -> str:
    """Return what a recommendation rests on: label, what was measured, what is expected."""
    label = str(advice.get("label", ""))
    evidence = advice.get("evidence") or {}
    measured, expected = evidence.get("measured"), evidence.get("expected")
    unit = str(evidence.get("unit", ""))
    if not label:
        return ""
    if advice.get("measure") == "gap" and isinstance(measured, int | float):
        count = round(measured)
        period = facts.period_name
        return words.many(
            "{label}: nothing recorded for {count} {period}",
            "{label}: nothing recorded for {count} {period}s",
            count,
            label=label,
            period=period,
        )
    if advice.get("measure") == "trend" and isinstance(measured, int | float):
        return (
            words("{label} is getting lower", label=label)
            if measured < 0
            else words("{label} is rising", label=label)
        )
    if isinstance(measured, int | float) and isinstance(expected, int | float):
        return words(
            "{label} {measured}, expected {expected}",
            label=label,
            measured=value_text(measured, "%" if unit == "%" else "", words),
            expected=value_text(expected, unit, words),
        )
    return label


def _group_text(group: Mapping[str, Any], words: Words, heading: str = "") -> str:
    """Return what was recorded of a group; a label that stands above already is not repeated."""
    parts = []
    for feature in group.get("features", ()):
        unit, label = str(feature.get("unit", "")), str(feature.get("label", ""))
        usual = feature.get("usual")
        has_label = label != heading
        if usual is None:
            value = value_text(feature.get("value"), unit, words)
            parts.append(words("{label} {value}", label=label, value=value) if has_label else value)
            continue
        values = {
            # The unit stands once, behind the second number.
            "value": value_text(feature.get("value"), "%" if unit == "%" else "", words),
            "usual": value_text(usual, unit, words),
        }
        parts.append(
            words("{label} {value} (typical: {usual})", label=label, **values)
            if has_label
            else words("{value} (typical: {usual})", **values)
        )
    return "; ".join(parts)


def _effect(group: Mapping[str, Any], words: Words) -> str:
    share = float(group.get("share", 0))
    if group.get("direction") == "towards":
        if share >= _STRONG:
            return words("counts strongly towards risk")
        if share < _SLIGHT:
            return words("counts slightly towards risk")
        return words("counts towards risk")
    if share >= _STRONG:
        return words("counts strongly against risk")
    if share < _SLIGHT:
        return words("counts slightly against risk")
    return words("counts against risk")


def _compared(reasons: Mapping[str, Any], words: Words) -> str:
    against = reasons.get("compared_with") or {}
    kind = against.get("kind")
    records, risk = against.get("records"), against.get("risk")
    if kind == "own_course":
        return words("Against the student’s own course so far.")
    if kind == "nothing":
        return words("Against a student of whom nothing is known.")
    if isinstance(records, int) and isinstance(risk, int | float):
        return words(
            "Against a student in the middle of the group in everything "
            "({records} records; estimate {risk}).",
            records=words.number(records),
            risk=words.percent(float(risk)),
        )
    return words("Against a student in the middle of the group in everything.")


def _notes(reasons: Mapping[str, Any], words: Words) -> tuple[str, ...]:
    notes = []
    missing = reasons.get("missing") or {}
    count = missing.get("values", 0)
    if isinstance(count, int) and count > 0:
        toward = float(missing.get("effect", 0)) > 0
        notes.append(
            words.many(
                "{count} value that is typical is not known; that counts {way} risk.",
                "{count} values that are typical are not known; together that counts {way} risk.",
                count,
                way=words("towards") if toward else words("against"),
            )
        )
    notes.append(
        words(
            "Reasons describe what the model’s estimate rests on, not what caused anything. "
            "Smaller contributions are left out."
        )
    )
    return tuple(notes)
