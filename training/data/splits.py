"""Who trains, who validates, who tests.

Splits go by student: all records of a person are on one side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from records.arrays import Positions
from records.cohort import Cohort
from records.errors import CohortError
from training.data.targets import known_risk, last_known, usable
from training.settings import SplitSettings

# Share of the students that validates where a split names none of its own: early stopping must
# never look at the test part. With 80:20 this leaves 70% for training.
_VALIDATION = 0.1
_TEMPORAL_VALIDATION = 0.15
_TEMPORAL_SHARES = (0.70, 0.85)
_COHORTS_TO_VALIDATE = 4


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the records of each part, ascending; no student is in two parts.

    Attributes:
        train: What is learnt from.
        validation: What stops the training and chooses its epoch.
        test: What is never looked at before the end.
        left_out: What a temporal split cannot use: earlier records of students who are in a later
            part, records without a cohort, and cohorts after those that validate or test.
    """

    train: Positions
    validation: Positions
    test: Positions
    left_out: Positions

    def parts(self) -> dict[str, Positions]:
        """Return the parts by name, in the order of the attributes."""
        return {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
            "left_out": self.left_out,
        }


def split(cohort: Cohort, settings: SplitSettings, *, seed: int) -> Split:
    """Split `cohort` as `settings` say.

    Raises:
        CohortError: Too few students or cohorts for it, or cohorts that do not exist.
    """
    if settings.kind == "temporal":
        return temporal_split(
            cohort,
            test=settings.test_cohorts,
            validation=settings.validation_cohorts,
            seed=seed,
        )
    if settings.kind == "stratified-70-15-15":
        return stratified_split(cohort, validation=0.15, test=0.15, seed=seed)
    return stratified_split(cohort, validation=_VALIDATION, test=0.2, seed=seed)


def stratified_split(cohort: Cohort, *, validation: float, test: float, seed: int) -> Split:
    """Split the students at random, the share at risk being the same in every part.

    Paper A: 80:20, here with the validation records taken from the 80. Paper B: 70/15/15.

    scikit-learn's grouped and stratified splitter places the groups one after the other, minutes
    for a hundred thousand students; splitting the students themselves gives both properties at
    once, since each has one stratum.

    Args:
        cohort: Records.
        validation: Share of the students that validates.
        test: Share of the students that tests.
        seed: Decides who is where.

    Raises:
        CohortError: So few students that a part would be empty.
    """
    students, record_student = np.unique(cohort.students, return_inverse=True)
    strata = _strata(cohort, record_student, len(students))
    rest, tested = _divide(np.arange(len(students)), strata, test, seed)
    trained, validated = _divide(rest, strata, validation / (1 - test), seed)
    return Split(
        train=_records(record_student, trained),
        validation=_records(record_student, validated),
        test=_records(record_student, tested),
        left_out=np.array([], np.intp),
    )


def temporal_split(
    cohort: Cohort, *, test: Sequence[str] = (), validation: Sequence[str] = (), seed: int = 0
) -> Split:
    """Train on earlier cohorts, validate on the next and test on the latest.

    Where no cohorts are named, the borders lie between cohorts, as near as possible to 70% and
    85% of the usable records. With fewer than four cohorts, or with test cohorts alone, no cohort
    can be spared from training, and 15% of the earlier students validate.

    A student with records in several parts stays in the latest of them, so that the test part is
    whole, and the earlier records are left out; so are records without a cohort and cohorts that
    are neither named nor earlier than the named ones.

    Raises:
        CohortError: One cohort only, names that do not occur, or no cohort left to train on.
    """
    counting = usable(cohort) & (cohort.cohorts != "")
    names, counts = np.unique(cohort.cohorts[counting], return_counts=True)
    for name in (*test, *validation):
        if name not in names:
            raise CohortError(
                f"cohort '{name}' has no eligible record with a known target; "
                f"there are {', '.join(names) or 'none'}."
            )
    if set(test) & set(validation):
        raise CohortError("a cohort cannot validate and test; name it once.")
    if not test:
        validation, test = _by_shares(names, counts, validation)
    earlier = (cohort.cohorts < min([*test, *validation])) & (cohort.cohorts != "")
    if not (earlier & counting).any():
        raise CohortError("no cohort is left to train on; name later ones to validate and test.")

    part = np.full(len(cohort), -1)
    part[earlier] = 0
    part[np.isin(cohort.cohorts, validation)] = 1
    part[np.isin(cohort.cohorts, test)] = 2
    students, record_student = np.unique(cohort.students, return_inverse=True)
    latest = np.full(len(students), -1)
    np.maximum.at(latest, record_student, part)
    kept = (part >= 0) & (part == latest[record_student])
    if not validation:
        strata = _strata(cohort, record_student, len(students))
        _, validated = _divide(np.flatnonzero(latest == 0), strata, _TEMPORAL_VALIDATION, seed)
        part[np.isin(record_student, validated)] = 1
    return Split(
        train=np.flatnonzero(kept & (part == 0)),
        validation=np.flatnonzero(kept & (part == 1)),
        test=np.flatnonzero(kept & (part == 2)),
        left_out=np.flatnonzero(~kept),
    )


def _by_shares(
    names: NDArray[np.str_], counts: NDArray[np.int_], validation: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    if len(names) < 2:
        raise CohortError(
            "a temporal split needs records of at least two cohorts; there "
            f"{'is one' if len(names) else 'are none'}. Choose a stratified split instead."
        )
    if validation:
        later = [name for name in names if name > max(validation)]
        if not later:
            raise CohortError("no cohort comes after those that validate; name the test cohorts.")
        return validation, later
    if len(names) < _COHORTS_TO_VALIDATE:
        return (), names[-1:].tolist()
    reached = counts.cumsum() / counts.sum()
    first = int(np.abs(reached[:-2] - _TEMPORAL_SHARES[0]).argmin()) + 1
    second = first + int(np.abs(reached[first:-1] - _TEMPORAL_SHARES[1]).argmin()) + 1
    return names[first:second].tolist(), names[second:].tolist()


def _strata(cohort: Cohort, record_student: Positions, students: int) -> NDArray[np.int_]:
    """Give each student's stratum: 0 unknown, 1 never at risk, 2 at risk in some record."""
    known = known_risk(cohort)
    last = last_known(known)
    risk = cohort.risk[np.arange(len(cohort)), last]
    strata = np.zeros(students, int)
    record_stratum = np.where(last < 0, 0, 1 + (np.nan_to_num(risk) > 0.5))
    np.maximum.at(strata, record_student, record_stratum)
    return strata


def _divide(
    students: Positions, strata: NDArray[np.int_], share: float, seed: int
) -> tuple[Positions, Positions]:
    """Divide students in two; the second part holds `share` of them."""
    strata = strata[students]
    names, counts = np.unique(strata, return_counts=True)
    smallest = 1 / min(share, 1 - share)
    if not counts.size or counts.max() < smallest:
        raise CohortError(
            f"too few students to split: {len(students)}; at least {2 * smallest:.0f} are needed."
        )
    # A stratum too small to be in both parts goes with the largest.
    strata = np.where(np.isin(strata, names[counts < smallest]), names[counts.argmax()], strata)
    first, second = train_test_split(
        students, test_size=share, stratify=strata, random_state=seed % 2**32
    )
    return first, second


def _records(record_student: Positions, students: Positions) -> Positions:
    return np.flatnonzero(np.isin(record_student, students))
