"""Lay out a run's figures: network and baselines side by side, as they are."""

from rich.table import Table

from evaluation.figures import RiskFigures, RiskReport, RunMetrics, ScoreFigures, ScoreReport
from records.contract import Contract

HORIZONS = 6


def metrics_tables(metrics: RunMetrics, contract: Contract) -> list[Table]:
    """Return four tables that fit 80 columns: each model overall and by horizon."""
    risk = {"network": metrics.risk.network, **metrics.risk.baselines}
    score = {"network": metrics.score.network, **metrics.score.baselines}
    clock = contract.periods.name
    return [
        _table(
            f"Risk: {contract.targets.risk.label}\n"
            f"test part, last {clock} that counts, {metrics.risk.network.last.records:,} records\n"
            "missed: share of those at risk that was not warned; ECE: calibration error",
            ["missed", "accuracy", "precision", "recall", "F1", "AUC", "Brier", "ECE"],
            {name: _risk(report.last) for name, report in risk.items()},
        ),
        _risk_by_period(risk, clock),
        _table(
            f"Score: {contract.targets.score.label}\n"
            f"test part, every {clock}, {metrics.score.network.overall.scores:,} scores",
            ["MAE", "RMSE", "R²"],
            {name: _score(report.overall) for name, report in score.items()},
        ),
        _score_by_period(score, clock),
    ]


def _risk(figures: RiskFigures) -> list[str]:
    shares = (figures.accuracy, figures.precision, figures.recall, figures.f1)
    whole = (figures.auc, figures.brier, figures.expected_calibration_error)
    return [_number(figures.false_negative_rate), *map(_number, (*shares, *whole))]


def _score(figures: ScoreFigures) -> list[str]:
    return [_number(figures.mae, 2), _number(figures.rmse, 2), _number(figures.r2)]


def _risk_by_period(reports: dict[str, RiskReport], clock: str) -> Table:
    horizons = _horizons(list(reports["network"].by_period))
    rows = {
        name: [_number(report.by_period[period].auc) for period in horizons]
        for name, report in reports.items()
    }
    return _table(f"AUC after {clock}", list(map(str, horizons)), rows)


def _score_by_period(reports: dict[str, ScoreReport], clock: str) -> Table:
    horizons = _horizons(list(reports["network"].by_period))
    rows = {
        name: [_number(report.by_period[period].mae, 2) for period in horizons]
        for name, report in reports.items()
    }
    return _table(f"MAE after {clock}", list(map(str, horizons)), rows)


def _table(title: str, columns: list[str], rows: dict[str, list[str]]) -> Table:
    table = Table("", title=title, title_justify="left", padding=(0, 0))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for name, cells in rows.items():
        table.add_row(name.replace("_", " "), *cells)
    return table


def _horizons(periods: list[int]) -> list[int]:
    """Pick a few periods, spread from the first to the last that was judged."""
    last = len(periods) - 1
    return sorted({periods[round(last * step / (HORIZONS - 1))] for step in range(HORIZONS)})


def _number(figure: float | None, digits: int = 3) -> str:
    return "n/a" if figure is None else f"{figure:.{digits}f}"
