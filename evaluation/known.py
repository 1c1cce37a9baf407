"""Which steps of a cohort count: the student is still there and the target is known."""

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools
from records.cohort import Cohort


def known_risk(cohort: Cohort) -> Bools:
    """(records, periods) whether the period is eligible and its outcome known."""
    return np.asarray(cohort.eligible & ~np.isnan(cohort.risk))


def known_score(cohort: Cohort) -> Bools:
    """(records, periods, subjects) whether the period is eligible and the next score known."""
    return np.asarray(cohort.eligible[:, :, None] & ~np.isnan(cohort.score))


def usable(cohort: Cohort) -> Bools:
    """(records,) whether some period counts for one of the targets."""
    return np.asarray(known_risk(cohort).any(axis=1) | known_score(cohort).any(axis=(1, 2)))


def last_known(known: Bools) -> NDArray[np.intp]:
    """Return each record's last counting period as a position, -1 where there is none.

    Args:
        known: (records, periods).
    """
    periods = known.shape[1]
    last = periods - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), last, -1)
