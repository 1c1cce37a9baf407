"""Fairness audit: does the risk model serve every group alike?

Audit attributes are never inputs; here they only divide the records. Groups too small to be judged
are suppressed, for their figures would be noise and could tell of a person. Where what is left
would give a suppressed group away (total less the others), the next smallest is suppressed as well.
"""

from collections.abc import Callable, Mapping

import numpy as np
from fairlearn.metrics import MetricFrame

from evaluation.abroca import abroca
from evaluation.bootstrap import draws, interval
from evaluation.figures import AttributeFairness, FairnessReport, Gap, GroupFigures
from evaluation.known import known_risk, last_known
from evaluation.weighted import (
    THRESHOLD,
    Figure,
    Judged,
    Reals,
    auc,
    base_rate,
    calibration_bias,
    expected_calibration_error,
    false_positive_rate,
    ones,
    precision,
    recall,
)
from records.cohort import Cohort, Floats, Strings

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
    areas: dict[str, float | None] = {}
    if compared:
        largest = max(compared, key=lambda group: (sizes[group], group))
        for group in compared:
            enough = _enough(parts[group], "abroca") and _enough(parts[largest], "abroca")
            areas[group] = abroca(parts[largest], parts[group]) if enough else None
    gaps = _gaps(parts, compared, found, {g: members[g] for g in compared}, resampling)
    gaps["abroca"] = _largest_area(areas, largest) if compared else None
    return AttributeFairness(
        attribute=name,
        label=label,
        groups=tuple(
            GroupFigures(
                group=group,
                suppressed=group in hidden,
                records=None if group in hidden else sizes[group],
                abroca=areas.get(group),
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


def _metric(name: str, figure: Figure) -> Callable[[Reals, Reals], float]:
    def metric(actual: Reals, predicted: Reals) -> float:
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


def _gaps(
    parts: Mapping[str, Judged],
    compared: list[str],
    found: Mapping[str, Mapping[str, float | None]],
    members: Mapping[str, np.ndarray],
    resampling: tuple[np.ndarray, int, int, int],
) -> dict[str, Gap | None]:
    person, people, resamples, seed = resampling
    bearing = {
        name: [group for group in compared if found[group][name] is not None] for name in GAPS
    }
    drawn: dict[str, list[Reals]] = {name: [] for name in GAPS}
    for counts in draws(people, resamples, seed):
        weights = {group: counts[:, person[rows]] for group, rows in members.items()}
        for name, groups in bearing.items():
            if len(groups) > 1:
                by_group = np.array([FIGURES[name](parts[g], weights[g]) for g in groups])
                drawn[name].append(by_group.max(axis=0) - by_group.min(axis=0))
    gaps: dict[str, Gap | None] = {}
    for name, groups in bearing.items():
        if len(groups) < 2:
            gaps[name] = None
            continue
        figures = {group: found[group][name] or 0.0 for group in groups}
        highest, lowest = max(groups, key=figures.__getitem__), min(groups, key=figures.__getitem__)
        bounds = interval(np.concatenate(drawn[name]), 0.95) if drawn[name] else None
        gaps[name] = Gap(
            difference=figures[highest] - figures[lowest],
            lowest=lowest,
            highest=highest,
            low=bounds[0] if bounds else None,
            high=bounds[1] if bounds else None,
        )
    return gaps


def _largest_area(areas: Mapping[str, float | None], largest: str) -> Gap | None:
    others = {group: area for group, area in areas.items() if group != largest and area is not None}
    if not others:
        return None
    worst = max(others, key=others.__getitem__)
    return Gap(difference=others[worst], lowest=largest, highest=worst, low=None, high=None)
