"""Say week by week where a student stands among those of the same module and presentation."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools, Floats
from records.sources.oulad_coursework import Numbers, Weekly

# Feature -> what is compared.
STANDING: Final[Mapping[str, str]] = {
    "standing_missing": "missing_share",
    "standing_mark": "coursework_mark",
    "standing_score": "score_mean",
    "standing_tma": "tma_latest",
    "standing_lateness": "lateness_mean",
    "standing_silence": "days_since_submission",
    "standing_registration": "registered_before",
    "standing_credits": "studied_credits",
}
# Fewer classmates than this are no group to stand in.
_FEWEST: Final = 20
# Nobody stands farther away than this says anything of.
_LIMIT: Final = 6.0


def weekly_standing(
    groups: NDArray[np.integer], weekly: Mapping[str, Floats], eligible: Bools
) -> Weekly:
    """Compute how many standard deviations a student is above the classmates of each week.

    Classmates are the students of the same module and presentation who are still there at the end
    of that week, and what is known of them by then: nothing of a later week is in it.

    Args:
        groups: (records,) number of the module's presentation.
        weekly: The features that `STANDING` compares: (records, weeks).
        eligible: (records, weeks), who is still there.

    Returns:
        Feature name -> (records, weeks) between -6 and 6; NaN where the student has no value or
        fewer than twenty classmates have one, 0 where all of them have the same.
    """
    found = {}
    for name, source in STANDING.items():
        values = weekly[source]
        standing = np.full(values.shape, np.nan)
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            standing[rows] = _against(values[rows], eligible[rows])
        found[name] = standing
    return found


def _against(values: Floats, eligible: Bools) -> Numbers:
    counts = eligible & ~np.isnan(values)
    count = counts.sum(axis=0)
    known = np.where(counts, values, 0.0).astype(np.float64)
    enough = np.maximum(count, 1)
    mean = known.sum(axis=0) / enough
    spread = np.sqrt((np.where(counts, values - mean, 0.0) ** 2).sum(axis=0) / enough)
    varies = spread > 1e-6
    standing = np.where(varies, (values - mean) / np.where(varies, spread, 1.0), 0.0)
    missing = np.isnan(values) | (count < _FEWEST)
    return np.where(missing, np.nan, np.clip(standing, -_LIMIT, _LIMIT))
