"""Take extreme records out of the training part (paper A and B, preprocessing).

Only there: validation and test show what really comes, and a student who is scored keeps every
value; `records.learnt.fences` flags it.
"""

import numpy as np

from records.arrays import Bools
from records.cohort import Cohort
from records.learnt.fences import Fences


def outlying_records(cohort: Cohort, fences: Fences) -> Bools:
    """Tell which records hold any value outside its fences: (records,) bool."""
    outlying = fences.flag_outliers(cohort.values, cohort.contract.feature_names)
    return np.asarray(outlying.any(axis=(1, 2)))


def removable_records(cohort: Cohort, fences: Fences, *, limit: float) -> tuple[Bools, list[str]]:
    """Tell which training records to remove.

    An outlier is rare. Where many records lie outside, they are a group of students and not
    errors, and often the very group that is at risk: of OULAD's enrolments of 2013B 70% have a
    week outside some fence, and of those with a tenth of their values outside all failed or
    withdrew. Removing them would remove what there is to learn.

    Args:
        cohort: The training part.
        fences: Learnt on it.
        limit: Largest share of the records that may be removed; beyond it none is.

    Returns:
        (records,) bool, and what the reader of the run should know.
    """
    outlying = outlying_records(cohort, fences)
    share = float(outlying.mean()) if len(cohort) else 0.0
    if share <= limit:
        return outlying, []
    note = (
        f"{int(outlying.sum())} of {len(cohort)} training records have values outside the fences: "
        f"more than {limit:.0%} are no outliers, so none was removed."
    )
    return np.zeros_like(outlying), [note]
