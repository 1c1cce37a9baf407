"""Lay out one model by horizon, what is compared, and the groups: the unflattering rows too."""

from collections.abc import Sequence

from rich.table import Table

from evaluation.figures import (
    AttributeFairness,
    Comparison,
    FairnessReport,
    RiskFigures,
    RunMetrics,
)
from records.contract import Contract


def horizon_tables(metrics: RunMetrics, contract: Contract, horizons: Sequence[int]) -> list[Table]:
    """Return the network by horizon, and its score beside the naive rows; all fit 80 columns."""
    reports = metrics.risk.network
    rows: dict[str, RiskFigures] = {
        str(period): reports.by_period[period] for period in horizons if period in reports.by_period
    }
    rows["last"] = reports.last
    risk = _table(
        f"Risk: {contract.targets.risk.label}, after each {contract.periods.name}\n"
        f"missed: share of those at risk with a probability below {metrics.threshold:g}",
        ["after", "records", "base rate", "AUC", "PR-AUC", "Brier", "ECE", "missed"],
    )
    capacity = _table(
        "When the riskiest 10% or 20% are seen",
        ["after", "precision 10%", "recall 10%", "precision 20%", "recall 20%"],
    )
    for name, figures in rows.items():
        risk.add_row(name, *_risk(figures))
        capacity.add_row(name, *_capacity(figures))
    return [risk, capacity, confusion_table(reports.last), _score(metrics, contract, horizons)]


def _score(metrics: RunMetrics, contract: Contract, horizons: Sequence[int]) -> Table:
    names = [name.replace("_", " ") for name in metrics.score.baselines]
    beside = f"; then the MAE of {', '.join(names)}" if names else ""
    table = _table(
        f"Score: {contract.targets.score.label}{beside}",
        ["after", "scores", "MAE", "RMSE", "R²", *names],
    )
    network, others = metrics.score.network, list(metrics.score.baselines.values())
    rows = [
        (str(period), network.by_period[period], [other.by_period[period] for other in others])
        for period in horizons
        if period in network.by_period
    ]
    rows.append(("all", network.overall, [other.overall for other in others]))
    for name, figures, naive in rows:
        errors = [number(figures.mae, 2), number(figures.rmse, 2), number(figures.r2)]
        errors += [number(other.mae, 2) for other in naive]
        table.add_row(name, f"{figures.scores:,}", *errors)
    return table


def confusion_table(figures: RiskFigures) -> Table:
    """Lay out the confusion matrix at the last period that counts, the overlooked first."""
    confusion = figures.confusion
    table = _table("Confusion", ["after the last period", "not warned", "warned"])
    table.add_row("at risk", f"{confusion.false_negative:,}", f"{confusion.true_positive:,}")
    table.add_row("not at risk", f"{confusion.true_negative:,}", f"{confusion.false_positive:,}")
    return table


def comparison_tables(comparisons: Sequence[Comparison]) -> list[Table]:
    """Lay out each comparison with the best baseline: who is ahead, and whether it may be luck."""
    tables = []
    for one in comparisons:
        table = _table(
            f"{one.figure.replace('_', ' ').upper()}: {one.model} less the best baseline, "
            f"{one.level:.0%} interval over {one.students:,} students",
            ["after", one.model, "baseline", "its", "difference", "low", "high", "verdict"],
            narrow=True,
        )
        for period, found in [*one.horizons.items(), ("mean", one.mean)]:
            if found is not None:
                table.add_row(
                    str(period),
                    number(found.value),
                    "several" if "," in found.against else found.against.replace("_", " "),
                    number(found.other),
                    *(f"{value:+.3f}" for value in (found.difference, found.low, found.high)),
                    _verdict(found.low, found.high, less_is_better=one.less_is_better),
                )
        tables.append(table)
    return tables


def fairness_tables(report: FairnessReport) -> list[Table]:
    """Lay out groups and gaps of each audit attribute."""
    tables = []
    for attribute in report.attributes:
        table = _table(
            f"Fairness by {attribute.label} (groups below {report.smallest} are not shown)",
            ["group", "n", "base", "recall", "FPR", "precision", "ECE", "bias", "AUC", "ABROCA"],
            narrow=True,
        )
        for group in attribute.groups:
            if group.suppressed:
                table.add_row(group.group, *["suppressed", *[""] * 8])
                continue
            table.add_row(
                group.group,
                f"{group.records:,}",
                *map(number, (group.base_rate, group.recall, group.false_positive_rate)),
                *map(number, (group.precision, group.expected_calibration_error)),
                *map(number, (group.calibration_bias, group.auc, group.abroca)),
            )
        gaps = attribute.gaps
        names = ("recall", "false_positive_rate", "precision", "expected_calibration_error")
        others = ("calibration_bias", "auc", "abroca")
        differences = [
            number(gap.difference) if (gap := gaps.get(name)) else "n/a"
            for name in (*names, *others)
        ]
        table.add_row("largest gap", "", "", *differences, style="bold")
        tables.append(table)
        if any(gaps.values()):
            tables.append(_gap_table(attribute))
    return tables


def _gap_table(attribute: AttributeFairness) -> Table:
    """Lay out the largest gap of each figure, and every group's area, with intervals."""
    table = _table(
        f"Gaps by {attribute.label}, with 95% intervals",
        ["gap of", "lowest", "highest", "gap", "low", "high"],
    )
    for name, gap in attribute.gaps.items():
        if gap is not None and name != "abroca":
            words = name.replace("_", " ").replace("expected calibration error", "ECE")
            table.add_row(
                words.replace("auc", "AUC"),
                gap.lowest,
                gap.highest,
                *map(number, (gap.difference, gap.low, gap.high)),
            )
    area = attribute.gaps.get("abroca")
    for group in attribute.groups if area is not None else ():
        if area is not None and group.abroca_low is not None:
            table.add_row(
                "ABROCA",
                area.lowest,
                group.group,
                *map(number, (group.abroca, group.abroca_low, group.abroca_high)),
            )
    return table


def number(figure: float | None, digits: int = 3) -> str:
    """Print a figure, or that there is none."""
    return "n/a" if figure is None else f"{figure:.{digits}f}"


def _risk(figures: RiskFigures) -> list[str]:
    return [
        f"{figures.records:,}",
        *map(number, (figures.base_rate, figures.auc, figures.pr_auc, figures.brier)),
        number(figures.expected_calibration_error),
        number(figures.false_negative_rate),
    ]


def _capacity(figures: RiskFigures) -> list[str]:
    found = [figures.at_capacity[share] for share in (10, 20)]
    return [number(value) for one in found for value in (one.precision, one.recall)]


def _verdict(low: float, high: float, *, less_is_better: bool) -> str:
    if low <= 0 <= high:
        return "open"
    return "ahead" if (high < 0) == less_is_better else "behind"


def _table(title: str, columns: Sequence[str], *, narrow: bool = False) -> Table:
    table = Table(title=title, title_justify="left", padding=(0, 0 if narrow else 1))
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=True)
    return table
