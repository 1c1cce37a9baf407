"""Take extreme records out of the training part (paper A and B, preprocessing).

Only there: validation and test show what really comes, and a student who is scored keeps every
value; `records.fences` flags it.
"""

import numpy as np

from records.cohort import Bools, Cohort
from records.fences import Fences


def outlying_records(cohort: Cohort, fences: Fences, *, share: float = 0.0) -> Bools:
    """Tell which records are extreme.

    Args:
        cohort: Training records.
        fences: Learnt on the same records.
        share: A record is extreme when more than this share of its numeric values lie outside
            their fences; 0: any single one.

    Returns:
        (records,) bool.
    """
    outlying = fences.outlying(cohort.values, cohort.contract.feature_names)
    fenced = [name in fences.lower for name in cohort.contract.feature_names]
    observed = ~np.isnan(cohort.values[:, :, fenced])
    values = observed.sum(axis=(1, 2))
    return np.asarray(outlying.sum(axis=(1, 2)) > share * values)
