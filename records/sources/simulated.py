"""Paper A's records, simulated: five indicators over the eight evaluation periods of one term.

The generative model, per student i and period t (all marks in points of 100):

1. Ability a ~ N(0, 1); a third are the first in their family to study, with ability lower by 0.25
   on average. Gender changes nothing.
2. A life event befalls 18 %: it begins at any period, lasts a geometric time, and holds both
   attendance and engagement down while it lasts.
3. Engagement eₜ is autoregressive around the student's own level, which rises a little with
   ability; shocks are remembered (memory 0.75).
4. Attendance, assignments, quizzes and the engagement index are noisy views of a and eₜ. Internal
   marks exist in periods 3 and 6 only.
5. Marks are missing not at random: the less engaged, the less is handed in. Attendance and the
   index are missing rarely and at random. A few marks are typed with a slipped decimal point.
6. Disengaged students may leave: the chance at the end of each period falls with eₜ.
7. The final mark depends on a, on the engagement of the whole term (late periods weigh more), on
   how it moved from the first half to the second, on the intake's examination and on chance.
   At risk: a final mark below 50; students who left have no final mark and did not pass.

Some of those who failed enrol again in the next intake: two records, one `students` key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles, Floats
from records.cohort import Cohort
from records.contract import load_contract
from records.sources.generative import (
    BLOCK,
    INTAKES,
    Whole,
    autoregressive,
    first_departure,
    intake_names,
    life_events,
    logistic,
    second_enrolments,
    slip_decimals,
    stream,
)

CONTRACT = load_contract("simulated")
PERIODS = CONTRACT.periods.maximum
MID_TERM = (2, 5)  # positions of the periods with an internal examination
PASS_MARK = 50.0
# Later papers are a little harder, so that a temporal split has something to find.
HARDER = np.array([0.0, 0.0, 0.5, 1.0, 1.5])


@dataclass(frozen=True)
class _Persons:
    ability: Doubles
    first_in_family: NDArray[np.str_]
    gender: NDArray[np.str_]

    def at(self, rows: Whole) -> Self:
        return type(self)(self.ability[rows], self.first_in_family[rows], self.gender[rows])


@dataclass(frozen=True)
class _Histories:
    values: Floats
    lengths: Whole
    failed: NDArray[np.bool_]


def simulate(students: int, *, seed: int = 0, chunk: int = 8192) -> Iterator[Cohort]:
    """Yield simulated records of the contract `simulated`, `chunk` at a time.

    Args:
        students: How many records (enrolments; some persons have two).
        seed: The same seed gives the same records, independent of `students` and `chunk`.
        chunk: Records per cohort; memory grows with it and not with `students`.

    Raises:
        CohortError: An argument is out of range.
    """
    return stream(_block, students, seed=seed, chunk=chunk)


def simulate_cohort(students: int, *, seed: int = 0) -> Cohort:
    """Return all records of `simulate` as one cohort.

    Raises:
        CohortError: An argument is out of range.
    """
    return next(simulate(students, seed=seed, chunk=students))


def _block(rng: np.random.Generator, start: int) -> Cohort:
    persons, intakes = _draw_persons(rng, BLOCK), rng.integers(0, INTAKES, BLOCK)
    drawn = _draw_histories(rng, persons, intakes)
    index = np.arange(BLOCK)
    again, first = second_enrolments(drawn.failed, intakes)
    repeated = _draw_histories(rng, persons.at(first), intakes[first] + 1)
    index[again], intakes[again] = first, intakes[first] + 1
    values, lengths, failed = drawn.values.copy(), drawn.lengths.copy(), drawn.failed.copy()
    values[again], lengths[again] = repeated.values, repeated.lengths
    failed[again] = repeated.failed
    observed = np.arange(PERIODS)[None, :] < lengths[:, None]
    return Cohort(
        contract=CONTRACT,
        ids=np.char.add("s", np.char.zfill((start + np.arange(BLOCK)).astype(str), 8)),
        students=np.char.add("p", np.char.zfill((start + index).astype(str), 8)),
        cohorts=intake_names(intakes, 2019),
        values=values,
        lengths=lengths.astype(np.int32),
        eligible=observed,
        risk=np.where(observed, failed[:, None], np.nan).astype(np.float32),
        score=_next_scores(values),
        audit={
            "gender": persons.gender[index],
            "background": persons.first_in_family[index],
        },
    )


def _draw_persons(rng: np.random.Generator, count: int) -> _Persons:
    first = rng.random(count) < 0.33
    return _Persons(
        ability=rng.normal(0.0, 1.0, count) - 0.25 * first,
        first_in_family=np.where(rng.random(count) < 0.02, "", np.where(first, "yes", "no")),
        gender=rng.choice(["female", "male", ""], count, p=[0.51, 0.46, 0.03]),
    )


def _draw_histories(rng: np.random.Generator, persons: _Persons, intakes: Whole) -> _Histories:
    shape = (len(intakes), PERIODS)
    ability = persons.ability[:, None]
    event = life_events(rng, *shape, share=0.18, stay=0.6)
    engagement = autoregressive(
        rng, 0.45 * persons.ability, -0.6 * event.astype(float), memory=0.75, spread=0.5
    )

    attendance = 100 * logistic(1.5 + 0.7 * engagement - 0.8 * event + rng.normal(0, 0.5, shape))
    assignments = 62 + 7 * ability + 7 * engagement + rng.normal(0, 10, shape)
    quiz = 58 + 8 * ability + 5 * engagement + rng.normal(0, 12, shape)
    so_far = engagement.cumsum(axis=1) / np.arange(1, PERIODS + 1)
    internal = 57 + 9 * ability + 6 * so_far + rng.normal(0, 8, shape)
    index = 10 * logistic(0.3 + 0.8 * engagement + rng.normal(0, 0.4, shape))

    not_handed_in = logistic(-3.2 - 0.9 * engagement)
    missing = np.stack(
        [0.01 + 0 * engagement, not_handed_in, 0.6 * not_handed_in, not_handed_in], axis=2
    )
    percent = np.clip(np.stack([attendance, assignments, internal, quiz], axis=2), 0, 100)
    percent = slip_decimals(rng, percent, share=5e-4).round(1)
    percent[rng.random(percent.shape) < missing] = np.nan
    percent[:, np.setdiff1d(np.arange(PERIODS), MID_TERM), 2] = np.nan
    index = np.where(rng.random(shape) < 0.02, np.nan, index).round(2)

    lengths = first_departure(rng, logistic(-5.4 - 1.3 * engagement))
    values = np.concatenate([percent, index[:, :, None]], axis=2).astype(np.float32)
    values[np.arange(PERIODS)[None, :] >= lengths[:, None]] = np.nan
    final = _final_marks(rng, persons.ability, engagement, intakes)
    return _Histories(values, lengths, (final < PASS_MARK) | (lengths < PERIODS))


def _final_marks(
    rng: np.random.Generator, ability: Doubles, engagement: Doubles, intakes: Whole
) -> Doubles:
    weights = np.linspace(0.5, 1.5, PERIODS) / PERIODS
    half = PERIODS // 2
    turn = engagement[:, half:].mean(axis=1) - engagement[:, :half].mean(axis=1)
    noise = rng.normal(0, 6.5, len(ability))
    return np.asarray(
        62 + 6 * ability + 8 * (engagement @ weights) + 3 * turn - HARDER[intakes] + noise
    )


def _next_scores(values: Floats) -> Floats:
    """Mean of the next period's assignments and quizzes; of the one there is if one is missing."""
    names = CONTRACT.feature_names
    marks = values[:, 1:, [names.index("assignments"), names.index("quiz")]]
    known = (~np.isnan(marks)).sum(axis=2)
    mean = np.nansum(marks, axis=2) / np.where(known, known, np.nan)
    score = np.full((*values.shape[:2], 1), np.nan, np.float32)
    score[:, :-1, 0] = mean
    return score
