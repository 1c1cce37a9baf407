"""Is there enough to learn from? Say plainly what is missing before any network is fitted."""

from collections.abc import Mapping

import numpy as np

from records.cohort import Cohort
from records.errors import CohortError
from training.data.parts import Parts
from training.data.statistics import Statistics
from training.data.targets import known_risk, known_score

# Fewer students than this in the training part and even a base rate is a guess.
MINIMUM_STUDENTS = 30
# With fewer students of one outcome a network learns who they are and not what they share.
MINIMUM_OF_EACH = 5
# Figures that rest on fewer students of one outcome are marked as uncertain.
_FEW_TO_JUDGE = 10
# Intakes that a note names; more than these say that all are thin.
_NAMED = 6


def check_cohort(cohort: Cohort) -> None:
    """Check what can be seen before the split.

    Raises:
        CohortError: No records, no eligible period, no known target, too few students or one
            class; all that is missing, with what to do about it.
    """
    _raise(missing_to_train(cohort))


def missing_to_train(cohort: Cohort) -> list[str]:
    """List what keeps any training from starting, as sentences; empty where nothing does."""
    if not len(cohort):
        return ["there are no records to train on."]
    missing = _unknown_targets(cohort, "the records")
    if not known_risk(cohort).any():
        return missing
    return missing + _few_students(cohort, "there are") + _few_of_a_class(cohort, "the records")


def thin_spots(cohort: Cohort) -> list[str]:
    """List features that carry nothing, and periods and intakes in which too few count."""
    observed = cohort.values[cohort.observed]
    notes = []
    for column, feature in enumerate(cohort.contract.features):
        values = observed[:, column]
        values = values[~np.isnan(values)]
        if not values.size:
            notes.append(
                f"feature '{feature.name}' is never observed; fill its column or take it out of "
                "the contract."
            )
        elif values.min() == values.max():
            notes.append(
                f"feature '{feature.name}' has one and the same value in all records, so nothing "
                "is learnt from it."
            )
    return notes + _thin_periods(cohort, "the records") + _thin_cohorts(cohort, "the records")


def part_notes(parts: Parts) -> list[str]:
    """List where the parts are thin and where figures of the test part rest on few."""
    notes = _thin_periods(parts.train, "the training records")
    notes += _thin_cohorts(parts.train, "the training records")
    if set(parts.test.cohorts.tolist()) - set(parts.train.cohorts.tolist()):
        # Where the split is by chance, the intakes of the test part do not matter.
        notes += _thin_cohorts(parts.test, "the test records")
    at_risk, well = _students_of_each(parts.test)
    for count, which in ((at_risk, "at risk"), (well, "not at risk")):
        if count < _FEW_TO_JUDGE:
            notes.append(
                f"the test records hold {_students(count)} who are {which}: figures that rest on "
                "them are mostly chance."
            )
    return notes


def check_parts(parts: Parts) -> None:
    """Check that every part has what is needed to learn, to stop or to be judged.

    Raises:
        CohortError: Too few students, one class only, or no known score; all that is missing.
    """
    missing = _few_students(parts.train, "the split leaves")
    for name, part in _named(parts).items():
        missing += _unknown_targets(part, f"the {name} records")
    if known_risk(parts.train).any():
        missing += _few_of_a_class(parts.train, "the training records")
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


def _few_students(cohort: Cohort, there_are: str) -> list[str]:
    students = len(np.unique(cohort.students[known_risk(cohort).any(axis=1)]))
    if students >= MINIMUM_STUDENTS:
        return []
    return [
        (
            f"{there_are} only {_students(students)} with a known outcome to train on; at least "
            f"{MINIMUM_STUDENTS} are needed. Add earlier cohorts."
        )
    ]


def _few_of_a_class(cohort: Cohort, which: str) -> list[str]:
    at_risk, well = _students_of_each(cohort)
    if not at_risk or not well:
        words = "at risk" if at_risk else "not at risk"
        return [
            (
                f"all of {which} are {words}; records of both outcomes are needed. Check how "
                "the column 'risk' is filled, or add cohorts."
            )
        ]
    fewest, words = min((at_risk, "at risk"), (well, "not at risk"))
    if fewest >= MINIMUM_OF_EACH:
        return []
    return [
        (
            f"only {_students(fewest)} in {which} "
            f"{'is' if fewest == 1 else 'are'} {words}; at least {MINIMUM_OF_EACH} of each outcome "
            "are needed. Add earlier cohorts."
        )
    ]


def _students_of_each(cohort: Cohort) -> tuple[int, int]:
    """Count the students with an outcome at risk, and with one not at risk."""
    known = known_risk(cohort)
    return (
        len(np.unique(cohort.students[(known & (cohort.risk > 0.5)).any(axis=1)])),
        len(np.unique(cohort.students[(known & (cohort.risk < 0.5)).any(axis=1)])),
    )


def _thin_periods(cohort: Cohort, which: str) -> list[str]:
    known, clock = known_risk(cohort), cohort.contract.periods.name
    if not known.any():
        return []
    counts = known.sum(axis=0)
    at_risk = (known & (cohort.risk > 0.5)).sum(axis=0)
    thin = (counts < MINIMUM_STUDENTS) | (at_risk == 0) | (at_risk == counts)
    periods = np.flatnonzero(thin) + 1
    if not periods.size:
        return []
    return [
        (
            f"{clock} {_spans(periods.tolist())}: fewer than {MINIMUM_STUDENTS} of {which} count "
            "there, or all have one outcome; predictions there are hardly learnt."
        )
    ]


def _thin_cohorts(cohort: Cohort, which: str) -> list[str]:
    """Say which intakes have too few students or one outcome; nothing where there is but one."""
    names = sorted(set(cohort.cohorts.tolist()) - {""})
    if len(names) < 2:
        return []
    known = known_risk(cohort)
    thin = []
    for name in names:
        here = (cohort.cohorts == name)[:, None] & known
        count = len(np.unique(cohort.students[here.any(axis=1)]))
        outcomes = np.unique(cohort.risk[here] > 0.5)
        if len(outcomes) == 1:
            alike = "all at risk" if outcomes[0] else "none at risk"
            thin.append(f"{name} ({_students(count)}, {alike})")
        elif count < MINIMUM_STUDENTS:
            thin.append(f"{name} ({_students(count)})")
    if not thin:
        return []
    shown = thin[:_NAMED] + ([f"and {len(thin) - _NAMED} more"] if len(thin) > _NAMED else [])
    return [
        (
            f"cohort {', '.join(shown)}: fewer than {MINIMUM_STUDENTS} students with a known "
            f"outcome in {which}, or all have one outcome; nothing can be learnt or judged of "
            "such a cohort by itself."
        )
    ]


def _spans(numbers: list[int]) -> str:
    """Write ascending numbers as spans: 1, 4 to 6."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(f"{s[0]} to {s[-1]}" if len(s) > 1 else str(s[0]) for s in spans)


def _students(count: int) -> str:
    return "1 student" if count == 1 else f"{count} students"


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
