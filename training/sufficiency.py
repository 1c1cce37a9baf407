"""Is there enough to learn from? Say plainly what is missing before any network is fitted."""

from collections.abc import Mapping

import numpy as np

from records.cohort import Cohort
from records.errors import CohortError
from training.parts import Parts
from training.statistics import Statistics
from training.targets import known_risk, known_score

# Fewer students than this in the training part and even a base rate is a guess.
MINIMUM_STUDENTS = 30


def check_cohort(cohort: Cohort) -> None:
    """Check what can be seen before the split.

    Raises:
        CohortError: No records, no eligible period, or no known target.
    """
    if not len(cohort):
        raise CohortError("there are no records to train on.")
    _raise(_unknown_targets(cohort, "the records"))


def check_parts(parts: Parts) -> None:
    """Check that every part has what is needed to learn, to stop or to be judged.

    Raises:
        CohortError: Too few students, one class only, or no known score; all that is missing.
    """
    missing = []
    usable = known_risk(parts.train).any(axis=1)
    students = len(np.unique(parts.train.students[usable]))
    if students < MINIMUM_STUDENTS:
        missing.append(
            f"only {students} students with a known outcome are left to train on; "
            f"at least {MINIMUM_STUDENTS} are needed."
        )
    for name, part in _named(parts).items():
        missing += _unknown_targets(part, f"the {name} records")
    outcomes = np.unique(parts.train.risk[known_risk(parts.train)])
    if len(outcomes) == 1:
        which = "at risk" if outcomes[0] > 0.5 else "not at risk"
        missing.append(
            f"everybody in the training records is {which}; records of both outcomes are needed."
        )
    _raise(missing)


def check_statistics(statistics: Statistics, contract_features: tuple[str, ...]) -> list[str]:
    """Name the features that carry nothing.

    Returns:
        One note for each feature that was never observed or never varies.

    Raises:
        CohortError: No feature varies.
    """
    notes = []
    for name, observed, varies in zip(
        contract_features, statistics.observed, statistics.varying, strict=True
    ):
        if not observed:
            notes.append(f"feature '{name}' is never observed in the training records.")
        elif not varies:
            notes.append(f"feature '{name}' has one and the same value in all training records.")
    if len(notes) == len(contract_features):
        _raise(["no feature varies, so nothing can be learnt:", *notes])
    return notes


def _unknown_targets(cohort: Cohort, which: str) -> list[str]:
    if not cohort.eligible.any():
        return [f"{which} have no eligible period."]
    missing = []
    if not known_risk(cohort).any():
        missing.append(f"{which} have no eligible period with a known outcome (risk).")
    if not known_score(cohort).any():
        columns = ", ".join(cohort.contract.targets.score.columns)
        missing.append(f"{which} have no eligible period with a known next score ({columns}).")
    return missing


def _named(parts: Parts) -> Mapping[str, Cohort]:
    return {"training": parts.train, "validation": parts.validation, "test": parts.test}


def _raise(missing: list[str]) -> None:
    if missing:
        raise CohortError("cannot train:\n" + "\n".join(f"  {line}" for line in missing))
