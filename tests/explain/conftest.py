"""What tests of reasons and what-if share: the tiny bundle, loaded, and assessed students."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from explain.bundles import explainer_of
from explain.reasons.explainer import Explainer
from records.arrays import Doubles, Floats, Ints
from records.sources import simulated
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.runtime.scorer import Scorer


@dataclass(frozen=True, eq=False)
class Students:
    """Assessed students.

    Attributes:
        values: (rows, periods, features).
        lengths: (rows,) different ones.
        trajectories: (rows, periods) risk as it is shown.
    """

    values: Floats
    lengths: Ints
    trajectories: Doubles


@pytest.fixture(scope="session")
def scorer(bundle_dir: Path) -> Scorer:
    """The tiny bundle, loaded."""
    return Scorer(read_bundle(bundle_dir), threads=1)


@pytest.fixture(scope="session")
def explainer(scorer: Scorer) -> Explainer:
    """Explains its estimates."""
    return explainer_of(scorer)


@pytest.fixture(scope="session")
def students(scorer: Scorer) -> Students:
    """Forty students of a new intake, after one to eight periods."""
    cohort = simulated.simulate_cohort(40, seed=11)
    lengths = np.minimum(cohort.lengths, 1 + np.arange(40) % 8).astype(np.int32)
    values = cohort.values.copy()
    values[np.arange(8) >= lengths[:, None]] = np.nan
    scores = scorer.score(values, lengths, forecast=False)
    table = Assessor(scorer).tabulate(values, lengths, scores, recommendations=False)
    return Students(values, lengths, table.trajectory)
