"""The parts of a split as cohorts, and what a baseline predicted on one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools, Cohort, Floats


@dataclass(frozen=True, eq=False)
class Parts:
    """The cohorts to learn from, to stop by and to be judged on."""

    train: Cohort
    validation: Cohort
    test: Cohort


@dataclass(frozen=True, eq=False)
class Baseline:
    """What one baseline predicted of the test part.

    Attributes:
        predicted: (records, periods) probabilities or (records, periods, subjects) scores, NaN at
            steps that do not count.
        reads: What it looks at, in words.
    """

    predicted: Floats
    reads: str


def placed(steps: Bools, predicted: NDArray[np.floating]) -> Floats:
    """Put one prediction for each chosen step at its place, NaN elsewhere."""
    everywhere = np.full(steps.shape, np.nan, np.float32)
    everywhere[steps] = predicted
    return everywhere
