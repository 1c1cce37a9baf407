"""Tables of the fairness audit: gaps first, then the groups; small groups stay suppressed."""

from dataclasses import replace

from evaluation.figures import FairnessReport, RunMetrics
from report.tables import Table

_SHOWN = {"expected_calibration_error": "ECE", "auc": "AUC", "abroca": "ABROCA"}


def fairness_tables(metrics: RunMetrics) -> list[Table]:
    """Return the gaps between groups, and one table of groups for each audit attribute."""
    if metrics.fairness is None or not metrics.fairness.attributes:
        return []
    header = (
        *("group", "records", "base rate", "recall", "false-positive rate", "ECE"),
        *("ABROCA", "from", "to"),
    )
    groups = [
        Table(
            f"fairness_{audited.attribute}",
            f"By {audited.label.lower()}",
            header,
            tuple(
                (
                    group.group,
                    "suppressed" if group.suppressed else group.records,
                    *(group.base_rate, group.recall, group.false_positive_rate),
                    group.expected_calibration_error,
                    *(group.abroca, group.abroca_low, group.abroca_high),
                )
                for group in audited.groups
            ),
        )
        for audited in metrics.fairness.attributes
    ]
    gaps = _gaps(metrics.fairness)
    # The page tells of suppression once, before the first group.
    first, *others = [gaps, *groups] if gaps.rows else groups
    return [replace(first, note=f"{first.note} {_note(metrics.fairness)}".strip()), *others]


def _gaps(fairness: FairnessReport) -> Table:
    rows = tuple(
        (
            audited.label,
            _SHOWN.get(name, name.replace("_", " ")),
            *(gap.difference, gap.low, gap.high, gap.lowest, gap.highest),
        )
        for audited in fairness.attributes
        for name, gap in audited.gaps.items()
        if gap is not None
    )
    header = ("attribute", "figure", "largest gap", "from", "to", "lowest", "highest")
    note = (
        "Largest difference between two groups, with a 95% interval (from, to); it is never below "
        "0, so chance alone makes one."
    )
    return Table("fairness_gaps", "Gaps between groups", header, rows, note)


def _note(fairness: FairnessReport) -> str:
    return (
        "Each record's last period that counts. Groups of fewer than "
        f"{fairness.smallest} records are suppressed, and others with them where they would give "
        f"them away; figures that rest on fewer than {fairness.fewest_cases} cases are left open. "
        "ABROCA: area between the group's ROC curve and that of the largest group, with a 95% "
        "interval by student (from, to); an area is never below 0."
    )
