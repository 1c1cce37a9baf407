"""The fairness gate: a bundle leaves only when no group lags further behind than is allowed."""

from collections.abc import Mapping

from evaluation.figures import FairnessReport
from export.errors import FairnessError
from scoring.bundle.manifest import GapLimit

LIMITABLE = (
    "recall",
    "false_positive_rate",
    "precision",
    "expected_calibration_error",
    "calibration_bias",
    "auc",
    "abroca",
)


def read_limits(text: str) -> dict[str, float]:
    """Read limits such as 'recall=0.1,false_positive_rate=0.05'.

    Raises:
        FairnessError: An unknown figure, or a limit that is no number from 0 to 1.
    """
    limits = {}
    for item in text.split(","):
        name, _, number = (part.strip() for part in item.partition("="))
        if name not in LIMITABLE:
            raise FairnessError(
                f"no gap is measured of '{name}'; there are {', '.join(LIMITABLE)}."
            )
        try:
            limit = float(number)
        except ValueError:
            limit = -1.0
        if not 0 <= limit <= 1:
            raise FairnessError(f"the limit of '{name}' is a number from 0 to 1: {name}=0.1.")
        limits[name] = limit
    return limits


def check_gaps(report: FairnessReport | None, limits: Mapping[str, float]) -> list[str]:
    """Hold the gaps between groups against limits.

    Args:
        report: Of the run's test part; None where the run has none.
        limits: Figure -> largest difference between two groups that is allowed.

    Returns:
        What could not be judged, because of small groups; empty where everything could.

    Raises:
        FairnessError: A gap is larger than allowed, with the groups named; or a figure could not
            be judged by any attribute, so that the limit would hold of nothing.
    """
    if report is None or not report.attributes:
        raise FairnessError(
            "a largest gap was given, but the contract names no audit attribute to judge it by; "
            "add one ([[audit]]), train again, or leave the limit out."
        )
    faults, open_questions = [], []
    for name, limit in limits.items():
        words = name.replace("_", " ")
        judged = 0
        for attribute in report.attributes:
            gap = attribute.gaps.get(name)
            if gap is None:
                open_questions.append(
                    f"{words} by '{attribute.attribute}' cannot be judged: fewer than two groups "
                    f"have at least {report.smallest} records and {report.fewest_cases} cases."
                )
                continue
            judged += 1
            if gap.difference > limit:
                between = "area between" if name == "abroca" else "differs between"
                faults.append(
                    f"{words} by '{attribute.attribute}': {between} '{gap.lowest}' and "
                    f"'{gap.highest}' of {gap.difference:.3f}, at most {limit:g} allowed."
                )
        if not judged:
            faults.append(f"{words} cannot be judged by any attribute: the groups are too small.")
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise FairnessError(f"not exported, groups are served too differently:\n{listed}")
    return open_questions


def held_limits(report: FairnessReport | None, limits: Mapping[str, float]) -> list[GapLimit]:
    """Say what `check_gaps` held against what, for the manifest and the card."""
    return [
        GapLimit(
            figure=name,
            attribute=attribute.attribute,
            limit=limit,
            measured=gap.difference if (gap := attribute.gaps.get(name)) else None,
        )
        for name, limit in limits.items()
        for attribute in (report.attributes if report else ())
    ]
