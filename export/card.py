"""The model card: what a bundle's models are for, how well they do, and where they end.

After Mitchell et al. 2019, "Model cards for model reporting". Every number comes from the run.
"""

from collections.abc import Iterable, Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

from evaluation.figures import (
    FairnessReport,
    Gap,
    GroupFigures,
    RiskFigures,
    RiskTable,
    ScoreFigures,
)
from evaluation.metrics import spread_horizons
from scoring.bundle.manifest import ExplanationChecks, GapLimit
from scoring.policy.model import Policy
from training.run_folder import RunFolder

_RISK = ("records", "base rate", "AUC", "Brier", "ECE", "recall", "precision")
_SCORE = ("scores", "MAE", "RMSE", "R²")
_CALIBRATION = ("records", "ECE raw", "ECE", "Brier raw", "Brier")
_GAPS = {
    "recall": "recall",
    "false_positive_rate": "false-positive rate",
    "expected_calibration_error": "ECE",
    "abroca": "ABROCA",
}
_FIGURES = _GAPS | {"auc": "AUC"}
_WRAPPED = 8


def model_card(
    run: RunFolder,
    policy: Policy,
    gap_limits: Sequence[GapLimit] = (),
    explanations: ExplanationChecks | None = None,
) -> str:
    """Write the card of a run's models under a policy, as Markdown.

    Args:
        run: Where every number comes from.
        policy: Packed with it.
        gap_limits: What gaps between groups were held against.
        explanations: What was checked of reasons and what-if; None before it was.
    """
    contract, metrics, intervals = run.contract, run.metrics, run.intervals
    risk, score = metrics.risk.network.by_period, metrics.score.network.by_period
    clock = contract.periods.name
    named = run.record.settings.split.test_cohorts
    template = Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown, and the run is ours
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string((resources.files("export") / "model_card.md.j2").read_text(encoding="utf-8"))
    return template.render(
        run=run,
        contract=contract,
        policy=policy,
        parts=", ".join(f"{count:,} {name}" for name, count in run.record.parts.items()),
        tested=f", tested on {', '.join(named)}" if named else "",
        features=_some(contract.feature_names),
        audit=", ".join(attribute.name for attribute in contract.audit),
        risk_table=_table(
            (clock, *_RISK),
            ((str(at), *_risk(risk[at])) for at in spread_horizons(sorted(risk))),
        ),
        risk_beside=_table(
            ("model", *_RISK),
            (
                (name.replace("_", " "), *_risk(report.last))
                for name, report in (
                    {"network": metrics.risk.network} | metrics.risk.baselines
                ).items()
            ),
        ),
        score_table=_table(
            (clock, *_SCORE, "held by the interval"),
            (
                (str(at), *_score(score[at]), _share(intervals.measured.get(at)))
                for at in spread_horizons(sorted(score))
            ),
        ),
        score_beside=_table(
            ("model", *_SCORE),
            (
                (name.replace("_", " "), *_score(report.overall))
                for name, report in (
                    {"network": metrics.score.network} | metrics.score.baselines
                ).items()
            ),
        ),
        calibration_table=_calibration(clock, metrics.risk),
        fairness=metrics.fairness,
        gaps_table=_gaps(metrics.fairness),
        groups_table=_groups(metrics.fairness),
        limits_table=_limits(gap_limits),
        explanations=explanations,
        deletion_table=_deletion(explanations),
        levers_table=_levers(explanations),
        tiers=_tiers(policy),
        versions=", ".join(f"{name} {version}" for name, version in run.record.environment.items()),
    )


def _risk(figures: RiskFigures) -> Iterable[str]:
    shares = (figures.base_rate, figures.auc, figures.brier, figures.expected_calibration_error)
    return (
        f"{figures.records:,}",
        *(_number(share, 3) for share in (*shares, figures.recall, figures.precision)),
    )


def _score(figures: ScoreFigures) -> Iterable[str]:
    return (
        f"{figures.scores:,}",
        _number(figures.mae, 2),
        _number(figures.rmse, 2),
        _number(figures.r2, 3),
    )


def _calibration(clock: str, risk: RiskTable) -> str:
    """Lay the figures before and after calibration out, by horizon."""
    if risk.uncalibrated is None:
        return "Not measured before calibration: the run is of an earlier version."
    raw, served = risk.uncalibrated.by_period, risk.network.by_period
    return _table(
        (clock, *_CALIBRATION),
        (
            (
                str(at),
                f"{served[at].records:,}",
                _number(raw[at].expected_calibration_error, 3),
                _number(served[at].expected_calibration_error, 3),
                _number(raw[at].brier, 3),
                _number(served[at].brier, 3),
            )
            for at in spread_horizons(sorted(served))
        ),
    )


def _gaps(fairness: FairnessReport | None) -> str:
    """Lay the largest difference of each figure out, by attribute."""
    return _table(
        ("attribute", *_GAPS.values()),
        (
            (audited.label, *(_gap(audited.gaps.get(name)) for name in _GAPS))
            for audited in (fairness.attributes if fairness else ())
        ),
    )


def _gap(gap: Gap | None) -> str:
    if gap is None:
        return "n/a"
    bounds = "" if gap.low is None else f" ({_number(gap.low, 3)} to {_number(gap.high, 3)})"
    return f"{_number(gap.difference, 3)}{bounds}: {gap.lowest} to {gap.highest}"


def _limits(gap_limits: Sequence[GapLimit]) -> str:
    """Lay out what the export held gaps against; '' where no limit was given."""
    if not gap_limits:
        return ""
    return _table(
        ("gap of", "attribute", "at most", "measured"),
        (
            (
                _FIGURES.get(held.figure, held.figure.replace("_", " ")),
                held.attribute,
                f"{held.limit:g}",
                "cannot be judged" if held.measured is None else _number(held.measured, 3),
            )
            for held in gap_limits
        ),
    )


def _groups(fairness: FairnessReport | None) -> str:
    """Lay the figures of every group out; suppressed groups by name alone."""
    return _table(
        ("attribute", "group", "records", "base rate", *_GAPS.values()),
        (
            (
                audited.label,
                group.group,
                "suppressed" if group.suppressed else f"{group.records:,}",
                _number(group.base_rate, 3),
                *(_number(getattr(group, name), 3) for name in _GAPS if name != "abroca"),
                _area(group),
            )
            for audited in (fairness.attributes if fairness else ())
            for group in audited.groups
        ),
    )


def _deletion(checks: ExplanationChecks | None) -> str:
    """Lay out how the estimate falls while groups are made as in the comparison."""
    if checks is None or not checks.explained:
        return "No held-out record's estimate lay above that of its comparison."
    return _table(
        ("order", *(str(at) for at in range(1, len(checks.ordered)))),
        (
            (name, *(_number(figure, 2) for figure in curve[1:]))
            for name, curve in (("of reasons", checks.ordered), ("random", checks.random))
        ),
    )


def _levers(checks: ExplanationChecks | None) -> str:
    """Lay out how often an improvement raised the estimate."""
    return _table(
        ("improved", "records", "estimate rose", "what-if"),
        (
            (
                f"{lever.name} (all of the group)" if lever.is_group else lever.name,
                f"{lever.records:,}",
                f"{lever.raised:.1%}",
                "hidden" if lever.hidden else "offered",
            )
            for lever in (checks.levers if checks else ())
        ),
    )


def _area(group: GroupFigures) -> str:
    """Return the area between ROC curves, with its interval where there is one."""
    bounds = (
        ""
        if group.abroca_low is None
        else f" ({_number(group.abroca_low, 3)} to {_number(group.abroca_high, 3)})"
    )
    return _number(group.abroca, 3) + bounds


def _tiers(policy: Policy) -> str:
    if policy.capacity is None:
        return ", ".join(f"`{tier.name}` from {tier.from_:g}" for tier in policy.tiers)
    shares = policy.capacity
    return "by capacity, " + ", ".join(f"`{name}` {shares[name]:.1%}" for name in shares)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _WRAPPED
    return ", ".join(names[:_WRAPPED]) + (f" and {more} more (`contract.toml`)" if more > 0 else "")


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] + ["---:"] * (len(names) - 1), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(figure: float | None, digits: int) -> str:
    return "n/a" if figure is None else f"{figure:.{digits}f}"


def _share(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.1%}"
