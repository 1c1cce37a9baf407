"""The parts of a split as cohorts."""

from dataclasses import dataclass

from records.cohort import Cohort


@dataclass(frozen=True, eq=False)
class Parts:
    """The cohorts to learn from, to stop by and to be judged on."""

    train: Cohort
    validation: Cohort
    test: Cohort
