"""Terms with a known effect built in, to show that the estimators find it and nothing else."""

from dataclasses import dataclass

import numpy as np

from cases.effects.randomised import Drawn
from records.arrays import Bools, Doubles


@dataclass(frozen=True, slots=True)
class SimulatedTerm:
    """One term of students who are seen where their risk reaches a bound.

    Attributes:
        risk: (students,) probabilities as assessed.
        contacted: (students,) 1 where the recommendation was followed.
        failed: (students,) 1 where the student failed in the end.
        drawn: Of those above the bound: which of two equivalent recommendations they got.
    """

    risk: Doubles
    contacted: Doubles
    failed: Doubles
    drawn: Drawn


def simulate_term(
    chance: np.random.Generator,
    *,
    students: int = 2000,
    bound: float = 0.4,
    effect: float = 0.3,
    first_effect: float = 0.0,
    followed: float = 0.5,
) -> SimulatedTerm:
    """Simulate a term.

    Args:
        chance: Source of randomness.
        students: Number of them.
        bound: Students with this risk or more are seen.
        effect: By how much following a recommendation lowers the probability to fail.
        first_effect: By how much more the first of two recommendations lowers it.
        followed: Share that follows the recommendation.

    Returns:
        A term whose true intent-to-treat effects are `-effect * followed` at the bound and
        `-first_effect * followed` between the recommendations.
    """
    risk = np.round(chance.beta(2, 2.5, students), 6)
    seen: Bools = risk >= bound
    follows = seen & (chance.random(students) < followed)
    is_first = chance.random(students) < 0.5
    lowered = follows * (effect + first_effect * is_first)
    # The estimate is calibrated: without help students fail as often as it states.
    failed = (chance.random(students) < np.clip(risk - lowered, 0, 1)).astype(np.float64)
    return SimulatedTerm(
        risk=risk,
        contacted=follows.astype(np.float64),
        failed=failed,
        drawn=Drawn(
            is_first=is_first[seen],
            propensity=np.full(int(seen.sum()), 0.5),
            outcome=failed[seen],
            covariates=risk[seen, None],
        ),
    )
