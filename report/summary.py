"""A run in five lines that need no statistics."""

from collections.abc import Iterator

from evaluation.figures import Comparison, Difference, RunMetrics
from evaluation.metrics import spread_horizons
from training.run_folder import RunFolder

# The office of the summary sees this share of the students, in percent.
_OFFICE = 10
_VERDICTS = {1: "better than", 0: "level with", -1: "worse than"}


def summary(run: RunFolder) -> list[str]:
    """Say what a dean needs to know: the data, the warning, the office, the forecast, the groups."""
    metrics = run.metrics
    return [
        _data(run),
        *_warning(metrics, run.contract.periods.name),
        *_office(metrics),
        *_forecast(run),
        *_groups(metrics),
    ]


def _data(run: RunFolder) -> str:
    parts, last = run.record.parts, run.metrics.risk.network.last
    rate = "" if last.base_rate is None else f", of whom {last.base_rate:.0%} were at risk"
    return (
        f"The models learnt from {parts['train']:,} records and are judged on {last.records:,} "
        f"others{rate}."
    )


def _warning(metrics: RunMetrics, clock: str) -> Iterator[str]:
    by_period = metrics.risk.network.by_period
    known = [at for at in sorted(by_period) if by_period[at].auc is not None]
    if not known:
        return
    middle = spread_horizons(known, 3)[len(spread_horizons(known, 3)) // 2]
    line = (
        f"After {clock} {middle}, of two students of whom one is at risk, the risk model ranks "
        f"that one higher in {by_period[middle].auc:.0%} of cases"
    )
    compared = next((one for one in metrics.comparisons if one.figure == "auc"), None)
    yield line + _beside(compared, "AUC") + "."


def _beside(compared: Comparison | None, figure: str) -> str:
    """Say how the network fares against the best baseline, in the mean of the horizons."""
    mean = compared.mean if compared is not None else None
    if compared is None or mean is None:
        return ""
    against = mean.against.replace("_", " ")
    verdict = _VERDICTS[_sign(mean, less_is_better=compared.less_is_better)]
    return (
        f"; over the term it is {verdict} the best baseline ({against}: {figure} "
        f"{mean.difference:+.3f}, interval {mean.low:+.3f} to {mean.high:+.3f})"
    )


def _sign(difference: Difference, *, less_is_better: bool) -> int:
    sign = (difference.low > 0) - (difference.high < 0)
    return -sign if less_is_better else sign


def _office(metrics: RunMetrics) -> Iterator[str]:
    found = metrics.risk.network.last.at_capacity.get(_OFFICE)
    if found is not None and found.precision is not None and found.recall is not None:
        yield (
            f"An office that sees the {_OFFICE}% of students with the highest risk meets "
            f"{found.precision:.0%} who are at risk, and reaches {found.recall:.0%} of all who are."
        )


def _forecast(run: RunFolder) -> Iterator[str]:
    score, intervals = run.metrics.score, run.intervals
    if score.network.overall.mae is None:
        return
    line = (
        f"Forecasts of the next score are off by {score.network.overall.mae:.1f} points on average"
    )
    last = score.baselines.get("last_score")
    if last is not None and last.overall.mae is not None:
        line += f" (the last score repeated: {last.overall.mae:.1f})"
    if intervals.measured_overall is not None:
        line += (
            f"; their {intervals.coverage:.0%} intervals hold {intervals.measured_overall:.0%} of "
            "the scores that came"
        )
    yield line + "."


def _groups(metrics: RunMetrics) -> Iterator[str]:
    if metrics.fairness is None:
        return
    gaps = [
        (gap.difference, audited.label.lower(), gap)
        for audited in metrics.fairness.attributes
        if (gap := audited.gaps.get("recall")) is not None
    ]
    if not gaps:
        return
    difference, label, gap = max(gaps, key=lambda one: one[0])
    interval = "" if gap.low is None else f" (interval {gap.low:.0%} to {gap.high:.0%})"
    yield (
        f"The largest difference between groups in the share of those at risk who are warned is "
        f"{difference:.0%}, by {label}{interval}; small groups alone make some difference."
    )
