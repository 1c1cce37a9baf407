"""Fairness audit: does the risk model serve every group alike?

Audit attributes are never inputs; here they only divide the records. Groups too small to be judged
are suppressed, for their figures would be noise and could tell of a person. Where what is left
would give a suppressed group away (total less the others), the next smallest is suppressed as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from fairlearn.metrics import MetricFrame

from evaluation.abroca import abroca, roc_heights
from evaluation.bootstrap import draws, interval
from evaluation.figures import AttributeFairness, FairnessReport, Gap, GroupFigures
from evaluation.known import known_risk, last_known
from evaluation.weighted import (
    THRESHOLD,
    Figure,
    Judged,
    auc,
    base_rate,
    calibration_bias,
    expected_calibration_error,
    false_positive_rate,
    ones,
    precision,
    recall,
)
from records.arrays import Doubles, Floats, Strings
from records.cohort import Cohort

SMALLEST = 20
FEWEST_CASES = 10
UNKNOWN = "unknown"
FIGURES: Mapping[str, Figure] = {
    "base_rate": base_rate,
    "recall": recall,
    "false_positive_rate": false_positive_rate,
    "precision": precision,
    "expected_calibration_error": expected_calibration_error,
    "calibration_bias": calibration_bias,
    "auc": auc,
}
# A gap of the base rate is the world's, not the model's.
GAPS = tuple(name for name in FIGURES if name != "base_rate")


def fairness_report(
    cohort: Cohort,
    probability: Floats,
    *,
    period: int | None = None,
    smallest: int = SMALLEST,
    resamples: int = 1000,
    seed: int = 0,
) -> FairnessReport:
    """Judge a risk model by every audit attribute of the contract.

    Args:
        cohort: Records with outcomes and audit attributes.
        probability: (records, periods).
        period: Where to judge, counted from 1; None for each record's last one that counts.
        smallest: Groups of fewer records are suppressed.
        resamples: Draws of the students for the intervals of the gaps.
        seed: Of the draws.
    """
    known = known_risk(cohort)
    if period is None:
        last = last_known(known)
        rows = np.flatnonzero(last >= 0)
        steps = last[rows]
    else:
        rows = np.flatnonzero(known[:, period - 1])
        steps = np.full(len(rows), period - 1)
    judged = Judged(
        cohort.risk[rows, steps].astype(np.float64),
        probability[rows, steps].astype(np.float64),
    )
    people, person = np.unique(cohort.students[rows], return_inverse=True)
    return FairnessReport(
        period=period,
        threshold=THRESHOLD,
        smallest=smallest,
        fewest_cases=FEWEST_CASES,
        records=len(rows),
        attributes=tuple(
            _attribute(
                audit.name,
                audit.label,
                judged,
                cohort.audit[audit.name][rows],
                smallest=smallest,
                resampling=(person, len(people), resamples, seed),
            )
            for audit in cohort.contract.audit
        )
        if len(rows)
        else (),
    )


def suppressed_groups(sizes: Mapping[str, int], smallest: int) -> set[str]:
    """Choose the groups to suppress.

    All below `smallest`; then, where those are one alone or too few together, so that the total
    less the groups shown would tell of them, the next smallest until they are neither.
    """
    ascending = sorted(sizes, key=lambda group: (sizes[group], group))
    hidden = [group for group in ascending if sizes[group] < smallest]
    for group in ascending[len(hidden) :]:
        if not hidden or (len(hidden) > 1 and sum(map(sizes.__getitem__, hidden)) >= smallest):
            break
        hidden.append(group)
    return set(hidden)


def _attribute(
    name: str,
    label: str,
    judged: Judged,
    values: Strings,
    *,
    smallest: int,
    resampling: tuple[np.ndarray, int, int, int],
) -> AttributeFairness:
    groups = np.where(values == "", UNKNOWN, values)
    names, counts = np.unique(groups, return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    hidden = suppressed_groups(sizes, smallest)
    shown = [group for group in sizes if group not in hidden]
    members = {group: np.flatnonzero(groups == group) for group in shown}
    parts = {
        group: Judged(judged.actual[rows], judged.predicted[rows])
        for group, rows in members.items()
    }
    found = _by_group(judged, groups, shown)
    compared = [group for group in shown if group != UNKNOWN]
    drawn = _draw({group: parts[group] for group in compared}, found, members, resampling)
    areas = {
        group: _area(parts[drawn.largest], parts[group], drawn.areas.get(group))
        for group in compared
    }
    gaps = _gaps(found, drawn)
    gaps["abroca"] = _largest_area(areas, drawn) if compared else None
    return AttributeFairness(
        attribute=name,
        label=label,
        groups=tuple(
            GroupFigures(
                group=group,
                suppressed=group in hidden,
                records=None if group in hidden else sizes[group],
                **areas.get(group, {}),
                **found.get(group, {}),
            )
            for group in sizes
        ),
        gaps=gaps,
    )


def _by_group(
    judged: Judged, groups: Strings, shown: list[str]
) -> dict[str, dict[str, float | None]]:
    if not shown:
        return {}
    rows = np.isin(groups, shown)
    frame = MetricFrame(
        metrics={name: _metric(name, figure) for name, figure in FIGURES.items()},
        y_true=judged.actual[rows],
        y_pred=judged.predicted[rows],
        sensitive_features=groups[rows],
    )
    table = frame.by_group.to_dict("index")
    return {
        str(group): {name: None if np.isnan(value) else float(value) for name, value in row.items()}
        for group, row in table.items()
    }


def _metric(name: str, figure: Figure) -> Callable[[Doubles, Doubles], float]:
    def metric(actual: Doubles, predicted: Doubles) -> float:
        part = Judged(np.asarray(actual, np.float64), np.asarray(predicted, np.float64))
        return float(figure(part, ones(part))[0]) if _enough(part, name) else np.nan

    return metric


def _enough(part: Judged, figure: str) -> bool:
    """Tell whether a figure rests on enough cases to be shown."""
    at_risk, warned = int(part.truth.sum()), int(part.warned.sum())
    needed = {
        "recall": at_risk,
        "false_positive_rate": len(part.truth) - at_risk,
        "precision": warned,
        "auc": min(at_risk, len(part.truth) - at_risk),
        "abroca": min(at_risk, len(part.truth) - at_risk),
    }
    return needed.get(figure, FEWEST_CASES) >= FEWEST_CASES


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What the resamples gave of one attribute.

    Attributes:
        bearing: Figure -> groups of known value that have it.
        gaps: Figure -> (resamples,) highest less lowest of them.
        largest: Group of known value with the most records; '' where there is none.
        areas: Other group -> (resamples,) area between its ROC curve and the largest group's.
    """

    bearing: Mapping[str, list[str]]
    gaps: Mapping[str, Doubles]
    largest: str
    areas: Mapping[str, Doubles]


def _draw(
    parts: Mapping[str, Judged],
    found: Mapping[str, Mapping[str, float | None]],
    members: Mapping[str, np.ndarray],
    resampling: tuple[np.ndarray, int, int, int],
) -> _Drawn:
    """Judge all groups of known value on the same draws of the students."""
    person, people, resamples, seed = resampling
    compared = list(parts)
    largest = max(compared, key=lambda group: (len(members[group]), group), default="")
    bearing = {
        name: [group for group in compared if found[group][name] is not None] for name in GAPS
    }
    curved = [group for group in compared if _enough(parts[group], "abroca")]
    others = [group for group in curved if group != largest] if largest in curved else []
    gaps: dict[str, list[Doubles]] = {n: [] for n, groups in bearing.items() if len(groups) > 1}
    areas: dict[str, list[Doubles]] = {group: [] for group in others}
    for counts in draws(people, resamples, seed) if gaps or areas else ():
        weights = {group: counts[:, person[members[group]]] for group in compared}
        for name, rows in gaps.items():
            groups = bearing[name]
            by_group = np.array([FIGURES[name](parts[g], weights[g]) for g in groups])
            rows.append(by_group.max(axis=0) - by_group.min(axis=0))
        if areas:
            reference = roc_heights(parts[largest], weights[largest])
            for group, rows in areas.items():
                heights = roc_heights(parts[group], weights[group])
                rows.append(np.abs(heights - reference).mean(axis=1))
    return _Drawn(
        bearing,
        {name: np.concatenate(rows) for name, rows in gaps.items()},
        largest,
        {group: np.concatenate(rows) for group, rows in areas.items()},
    )


def _area(largest: Judged, part: Judged, drawn: Doubles | None) -> dict[str, float | None]:
    """Return a group's area with its interval; that of the largest group with itself is 0."""
    if part is largest and _enough(part, "abroca"):
        return {"abroca": 0.0}
    if drawn is None:
        return {}
    low, high = interval(drawn, 0.95) or (None, None)
    return {"abroca": abroca(largest, part), "abroca_low": low, "abroca_high": high}


def _gaps(found: Mapping[str, Mapping[str, float | None]], drawn: _Drawn) -> dict[str, Gap | None]:
    gaps: dict[str, Gap | None] = {}
    for name, groups in drawn.bearing.items():
        if name not in drawn.gaps:
            gaps[name] = None
            continue
        figures = {group: found[group][name] or 0.0 for group in groups}
        highest, lowest = max(groups, key=figures.__getitem__), min(groups, key=figures.__getitem__)
        low, high = interval(drawn.gaps[name], 0.95) or (None, None)
        gaps[name] = Gap(
            difference=figures[highest] - figures[lowest],
            lowest=lowest,
            highest=highest,
            low=low,
            high=high,
        )
    return gaps


def _largest_area(areas: Mapping[str, Mapping[str, float | None]], drawn: _Drawn) -> Gap | None:
    others = {group: area for group in drawn.areas if (area := areas[group]["abroca"]) is not None}
    if not others:
        return None
    worst = max(others, key=others.__getitem__)
    # Of the largest in each resample, whichever group has it there: as with every other gap.
    low, high = interval(np.max([*drawn.areas.values()], axis=0), 0.95) or (None, None)
    return Gap(difference=others[worst], lowest=drawn.largest, highest=worst, low=low, high=high)
