"""Lay out a run's figures: network and baselines side by side, as they are."""

from rich.table import Table

from records.contract import Contract
from training.figures import RiskFigures, RiskReport, RunMetrics, ScoreFigures

HORIZONS = 4


def metrics_tables(metrics: RunMetrics, contract: Contract) -> list[Table]:
    """Return the tables of both models: at the last period, and AUC or MAE by horizon."""
    return [_risk(metrics, contract), _score(metrics, contract)]


def _risk(metrics: RunMetrics, contract: Contract) -> Table:
    rows = {"network": metrics.risk.network, **metrics.risk.baselines}
    horizons = _horizons(list(metrics.risk.network.by_period))
    table = Table(
        "risk model", "accuracy", "precision", "recall", "F1", "AUC", "Brier",
        *(f"AUC {contract.periods.name} {period}" for period in horizons),
        title=f"{contract.targets.risk.label}: test part, last period that counts "
        f"({metrics.risk.network.last.records:,} records)",
    )  # fmt: skip
    for name, report in rows.items():
        table.add_row(name, *_risk_cells(report.last), *_by_horizon(report, horizons))
    return table


def _risk_cells(figures: RiskFigures) -> list[str]:
    shares = (figures.accuracy, figures.precision, figures.recall, figures.f1)
    return [*map(_number, shares), _number(figures.auc), _number(figures.brier)]


def _by_horizon(report: RiskReport, horizons: list[int]) -> list[str]:
    return [_number(report.by_period[period].auc) for period in horizons]


def _score(metrics: RunMetrics, contract: Contract) -> Table:
    rows = {"network": metrics.score.network, **metrics.score.baselines}
    horizons = _horizons(list(metrics.score.network.by_period))
    table = Table(
        "score model", "MAE", "RMSE", "R²",
        *(f"MAE {contract.periods.name} {period}" for period in horizons),
        title=f"{contract.targets.score.label}: test part, every period "
        f"({metrics.score.network.overall.scores:,} scores)",
    )  # fmt: skip
    for name, report in rows.items():
        maes = [_number(report.by_period[period].mae, 2) for period in horizons]
        table.add_row(name, *_score_cells(report.overall), *maes)
    return table


def _score_cells(figures: ScoreFigures) -> list[str]:
    return [_number(figures.mae, 2), _number(figures.rmse, 2), _number(figures.r2)]


def _horizons(periods: list[int]) -> list[int]:
    """Pick up to four periods, spread from the first to the last that was judged."""
    last = len(periods) - 1
    return sorted({periods[round(last * step / HORIZONS)] for step in range(1, HORIZONS + 1)})


def _number(figure: float | None, digits: int = 3) -> str:
    return "n/a" if figure is None else f"{figure:.{digits}f}"
