"""Every table of the report as one value, written as CSV, Markdown or HTML."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from evaluation.figures import RiskFigures, RunMetrics, ScoreFigures
from evaluation.metrics import spread_horizons
from records.contract import Contract
from report import papers
from report.figures.drawing import risks, scores
from training.run_folder import RunFolder

Cell = str | float | int | None
# Rows that fit on a page beside something else.
_LONG = 20


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: Of its file.
        title: What it shows.
        header: Names of the columns; the first column names the rows.
        rows: Cells; None where a figure is undefined or was not reported.
        note: What the reader must know of it.
        digits: Decimals shown; files keep all.
        drawn: Whether a figure of the report tells the same.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    digits: int = 3
    drawn: bool = False

    @property
    def long(self) -> bool:
        """Whether a page shows it only to those who ask."""
        return self.drawn and len(self.rows) > _LONG

    def shown(self) -> list[list[str]]:
        """Return the cells as text for people."""
        return [[self._shown(cell) for cell in row] for row in self.rows]

    def _shown(self, cell: Cell) -> str:
        if cell is None:
            return "n/a"
        if isinstance(cell, float):
            return f"{round(cell, self.digits) + 0.0:.{self.digits}f}"  # no minus before 0.00
        return f"{cell:,}" if isinstance(cell, int) else cell

    def csv(self) -> str:
        """Return the table as CSV with a header; undefined cells are empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(["" if cell is None else cell for cell in row] for row in self.rows)
        return text.getvalue()

    def markdown(self) -> str:
        """Return the table as Markdown under its title."""
        rule = ["---"] + ["---:"] * (len(self.header) - 1)
        lines = [self.header, rule, *self.shown()]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join(filter(None, (f"## {self.title}", self.note, table)))


def run_tables(run: RunFolder) -> list[Table]:
    """Return the tables of a run's data and models; those of groups stand elsewhere."""
    contract, metrics = run.contract, run.metrics
    tables = [
        _data(run),
        _base_rates(metrics, contract),
        _risk(metrics, contract),
        _confusions(metrics),
        _risk_by_period(metrics, contract),
        _calibration(metrics, contract),
        _capacity(metrics),
        _score(metrics),
        _score_by_period(run),
        *_correlations(run),
        *subject_tables(metrics, contract),
    ]
    return [table for table in tables if table.rows]


def _data(run: RunFolder) -> Table:
    record = run.record
    rows: list[tuple[Cell, ...]] = [
        ("source", record.data),
        ("contract", f"{record.contract} version {run.contract.version}"),
        ("split", record.settings.split.kind),
        *((f"records: {name.replace('_', ' ')}", count) for name, count in record.parts.items()),
        ("training records removed as outlying", record.outlying),
        ("features", len(run.contract.features)),
        (f"{run.contract.periods.name}s at most", run.contract.periods.maximum),
        ("seed", record.seed),
        ("risk network", record.networks["risk"].preset),
        ("score network", record.networks["score"].preset),
        ("calibration learnt on", run.calibration.learnt_on),
        ("intervals learnt on", run.intervals.learnt_on),
    ]
    return Table("data", "The run and its data", ("what", "value"), tuple(rows))


def _base_rates(metrics: RunMetrics, contract: Contract) -> Table:
    by_period = metrics.risk.network.by_period
    rows = tuple((str(at), of.records, of.base_rate) for at, of in sorted(by_period.items()))
    header = (contract.periods.name, "records that count", "share at risk")
    return Table("base_rates", "Base rate by period, test part", header, rows, drawn=True)


def _risk(metrics: RunMetrics, contract: Contract) -> Table:
    header = ("model", "accuracy", "precision", "recall", "F1", "AUC", "PR-AUC", "Brier", "ECE")
    rows: list[tuple[Cell, ...]] = [
        (name, *_risk_cells(report.last)) for name, report in risks(metrics).items()
    ]
    for name, reported in papers.RISK.items():
        shares = tuple(None if of is None else of / 100 for of in reported)
        rows.append((f"{name} *", *shares, None, None, None, None))
    note = (
        f"At each record's last {contract.periods.name} that counts. * As reported by paper A on "
        "data of its own: a reference, not a comparison."
    )
    return Table("risk", f"Risk: {contract.targets.risk.label}", header, tuple(rows), note)


def _risk_cells(figures: RiskFigures) -> tuple[Cell, ...]:
    return (
        *(figures.accuracy, figures.precision, figures.recall, figures.f1),
        *(figures.auc, figures.pr_auc, figures.brier, figures.expected_calibration_error),
    )


def _confusions(metrics: RunMetrics) -> Table:
    header = (
        *("model", "false-negative rate", "overlooked", "warned, at risk"),
        *("warned, not at risk", "rightly left alone"),
    )
    rows = tuple(
        (
            name,
            report.last.false_negative_rate,
            report.last.confusion.false_negative,
            report.last.confusion.true_positive,
            report.last.confusion.false_positive,
            report.last.confusion.true_negative,
        )
        for name, report in risks(metrics).items()
    )
    title = f"Who is overlooked, at a threshold of {metrics.threshold:g}"
    return Table("confusion", title, header, rows)


def _risk_by_period(metrics: RunMetrics, contract: Contract) -> Table:
    horizons = spread_horizons(sorted(metrics.risk.network.by_period))
    rows = tuple(
        (name, *(report.by_period[at].auc for at in horizons))
        for name, report in risks(metrics).items()
    )
    header = ("model", *(f"{contract.periods.name} {at}" for at in horizons))
    return Table("auc_by_period", "AUC by period", header, rows)


def _calibration(metrics: RunMetrics, contract: Contract) -> Table:
    raw, served = metrics.risk.uncalibrated, metrics.risk.network
    if raw is None:
        return Table("calibration", "", (), ())
    rows = tuple(
        (
            str(at),
            served.by_period[at].records,
            raw.by_period[at].expected_calibration_error,
            served.by_period[at].expected_calibration_error,
            raw.by_period[at].brier,
            served.by_period[at].brier,
        )
        for at in spread_horizons(sorted(served.by_period))
    )
    header = (
        contract.periods.name,
        "records",
        "ECE raw",
        "ECE served",
        "Brier raw",
        "Brier served",
    )
    return Table("calibration", "Calibration: before and after", header, rows)


def _capacity(metrics: RunMetrics) -> Table:
    last = metrics.risk.network.last
    rows = tuple(
        (f"{share} %", of.precision, of.recall, of.lift) for share, of in last.at_capacity.items()
    )
    header = ("students that can be seen", "at risk among them", "share of those at risk", "lift")
    return Table("capacity", "What an office finds at its capacity", header, rows)


def _score(metrics: RunMetrics) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, *_score_cells(report.overall)) for name, report in scores(metrics).items()
    ]
    rows += [(f"{name} *", *reported) for name, reported in papers.SCORE.items()]
    note = "* As reported by paper B on data of its own: a reference, not a comparison."
    return Table("score", "Next score", ("model", "MAE", "RMSE", "R²"), tuple(rows), note)


def _score_cells(figures: ScoreFigures) -> tuple[Cell, ...]:
    return figures.mae, figures.rmse, figures.r2


def _score_by_period(run: RunFolder) -> Table:
    reports, intervals = scores(run.metrics), run.intervals
    horizons = spread_horizons(sorted(run.metrics.score.network.by_period))
    rows: list[tuple[Cell, ...]] = [
        (f"MAE, {name}", *(report.by_period[at].mae for at in horizons))
        for name, report in reports.items()
    ]
    held = tuple(intervals.measured.get(at) for at in horizons)
    rows.append((f"held by the {intervals.coverage:.0%} interval", *held))
    header = ("", *(f"{run.contract.periods.name} {at}" for at in horizons))
    return Table("score_by_period", "Score forecast by period", header, tuple(rows))


def subject_tables(metrics: RunMetrics, contract: Contract) -> list[Table]:
    """Return every model by subject, and the network by subject and period; of one subject none."""
    by_subject = metrics.score.network.by_subject_and_period
    names = list(metrics.score.network.by_subject)
    if len(names) < 2:
        return []
    rows: list[tuple[Cell, ...]] = [
        (name, *(report.by_subject[subject].mae for subject in names))
        for name, report in scores(metrics).items()
    ]
    for model, errors in papers.SUBJECTS.items():
        reported = [errors.get(subject.lower()) for subject in names]
        if any(error is not None for error in reported):
            rows.append((f"{model} *", *reported))
    tables = [Table("subjects", "MAE by subject", ("model", *names), tuple(rows), digits=2)]
    if by_subject:
        horizons = spread_horizons(sorted(metrics.score.network.by_period))
        cells = tuple(
            (f"{words}, {subject}", *(_at(by_subject[subject].get(at), name) for at in horizons))
            for words, name in (("MAE", "mae"), ("RMSE", "rmse"), ("R²", "r2"))
            for subject in names
        )
        header = ("", *(f"{contract.periods.name} {at}" for at in horizons))
        title = "The network by subject and period"
        tables.append(Table("subjects_by_period", title, header, cells, digits=2))
    return tables


def _correlations(run: RunFolder) -> Iterable[Table]:
    """Return each network's table of Pearson's r of every feature with its target."""
    labels = {feature.name: feature.label for feature in run.contract.features}
    for target, selection in run.record.selection.items():
        ranked = sorted(selection.features, key=lambda one: -abs(one.r or 0.0))
        rows = tuple((labels[one.feature], one.r, "yes" if one.kept else "no") for one in ranked)
        what = {"risk": "the risk", "score": "the next score"}[target]
        limit = selection.threshold
        note = (
            "On the training part, over all periods that count; of several subjects or levels the "
            "correlation of the largest size. "
            + (
                "All features are read: no threshold was set (`bellwether train --select-above`)."
                if limit is None
                else f"Features with |r| below {limit:g} are not read (paper B, preprocessing)."
            )
        )
        title = f"Pearson's r of every feature with {what}"
        header = ("feature", "r", "read by the network")
        yield Table(f"correlation_{target}", title, header, rows, note, drawn=True)


def _at(figures: ScoreFigures | None, name: str) -> float | None:
    found: float | None = None if figures is None else getattr(figures, name)
    return found


def joined(tables: Iterable[Table]) -> str:
    """Return all tables as one Markdown file."""
    return "\n\n".join(table.markdown() for table in tables) + "\n"
