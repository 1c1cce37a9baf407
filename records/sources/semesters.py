"""Paper B's records, simulated: secondary students over six semesters, five subjects.

The generative model, per student i, semester t and subject k (all marks in points of 100):

1. General ability g ~ N(0, 1) and, per subject, ability 0.75 g + 0.65 N(0, 1). Parents' education
   raises g a little; gender and residence do not.
2. Engagement eₜ is autoregressive around 0.4 g; a life event befalls 15 % and holds it down.
3. At the end of semester 2 students choose science, humanities or a mixture, mostly by where they
   are stronger; the choice then helps its own subjects and costs the others.
4. Weaker students are likelier to take part in tutoring, which helps by two points.
5. The end-of-semester examinations depend on ability, eₜ, a personal trend, the form of the
   semester (the same in all subjects), choice, tutoring and
   chance. Homework, the mid-semester examination, the classroom rating and the count of online
   interactions (over-dispersed Poisson) are noisy views of the same.
6. Homework and examinations are missing not at random: the less engaged, the more. Some homes
   without a connection have no online record at all. A few marks have a slipped decimal point.
7. Some students move away; what becomes of them is unknown (censored), not a failure.

Risk after semester t: the mean of the examinations of semester t + 1 is below 60. Score: those
examinations themselves. After the last semester there is neither. Some of those who end badly
begin again with a later intake: two records, one `students` key.
"""

import warnings
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

CONTRACT = load_contract("semesters")
PERIODS = CONTRACT.periods.maximum
CHOICE = 2  # semesters that pass before the courses are chosen
PASS_MARK = 60.0
SUBJECTS = len(CONTRACT.targets.score.subjects)
# What each choice adds to mathematics, Chinese, English, physics and chemistry.
EFFECT = np.array([[0, 0, 0, 0, 0], [2, -1, 0, 3, 3], [-2, 3, 2, -3, -3], [0, 0, 0, 0, 0]], float)


@dataclass(frozen=True)
class _Persons:
    general: Doubles
    subjects: Doubles
    education: Whole
    gender: NDArray[np.str_]
    residence: NDArray[np.str_]

    def at(self, rows: Whole) -> Self:
        return type(self)(
            self.general[rows],
            self.subjects[rows],
            self.education[rows],
            self.gender[rows],
            self.residence[rows],
        )


def simulate(students: int, *, seed: int = 0, chunk: int = 8192) -> Iterator[Cohort]:
    """Yield simulated records of the contract `semesters`, `chunk` at a time.

    Args:
        students: How many records (enrolments; some persons have two). Paper B had 1,000.
        seed: The same seed gives the same records, independent of `students` and `chunk`.
        chunk: Records per cohort; memory grows with it and not with `students`.

    Raises:
        CohortError: An argument is out of range.
    """
    return stream(_block, students, seed=seed, chunk=chunk)


def simulate_cohort(students: int = 1000, *, seed: int = 0) -> Cohort:
    """Return all records of `simulate` as one cohort.

    Raises:
        CohortError: An argument is out of range.
    """
    return next(simulate(students, seed=seed, chunk=students))


def _block(rng: np.random.Generator, start: int) -> Cohort:
    persons, intakes = _draw_persons(rng, BLOCK), rng.integers(0, INTAKES, BLOCK)
    values, lengths = _draw_histories(rng, persons)
    index = np.arange(BLOCK)
    again, first = second_enrolments(_ended_badly(values, lengths), intakes)
    index[again], intakes[again] = first, intakes[first] + 1
    values[again], lengths[again] = _draw_histories(rng, persons.at(first))
    score = np.full((BLOCK, PERIODS, SUBJECTS), np.nan, np.float32)
    score[:, :-1] = values[:, 1:, -SUBJECTS:]
    mean = _mean(score)
    eligible = np.arange(PERIODS)[None, :] < lengths[:, None]
    eligible[:, -1] = False
    return Cohort(
        contract=CONTRACT,
        ids=np.char.add("s", np.char.zfill((start + np.arange(BLOCK)).astype(str), 8)),
        students=np.char.add("p", np.char.zfill((start + index).astype(str), 8)),
        cohorts=intake_names(intakes, 2016),
        values=values,
        lengths=lengths.astype(np.int32),
        eligible=eligible,
        risk=np.where(np.isnan(mean), np.nan, mean < PASS_MARK).astype(np.float32),
        score=score,
        audit={"gender": persons.gender[index], "residence": persons.residence[index]},
    )


def _draw_persons(rng: np.random.Generator, count: int) -> _Persons:
    education = rng.choice(3, count, p=[0.25, 0.5, 0.25])
    general = rng.normal(0.0, 1.0, count) + 0.2 * (education - 1)
    return _Persons(
        general=general,
        subjects=0.75 * general[:, None] + rng.normal(0.0, 0.65, (count, SUBJECTS)),
        education=education,
        gender=rng.choice(["female", "male"], count),
        residence=rng.choice(["urban", "rural", ""], count, p=[0.6, 0.37, 0.03]),
    )


def _draw_histories(rng: np.random.Generator, persons: _Persons) -> tuple[Floats, Whole]:
    """Return values (records, periods, features) as the contract orders them, and lengths."""
    general = persons.general[:, None]
    shape = (len(general), PERIODS)
    event = life_events(rng, *shape, share=0.15, stay=0.4)
    engagement = autoregressive(
        rng, 0.4 * persons.general, -0.7 * event.astype(float), memory=0.6, spread=0.5
    )
    courses = _choices(rng, persons)
    tutoring = rng.random(shape) < logistic(-1.5 - 0.8 * general)

    exams = _examinations(rng, persons, engagement, courses, tutoring)
    midterm = exams.mean(axis=2) + rng.normal(0, 3, shape)
    homework = 74 + 5 * general + 7 * engagement + rng.normal(0, 6, shape)
    marks = np.concatenate([homework[:, :, None], midterm[:, :, None], exams], axis=2)
    marks = slip_decimals(rng, np.clip(marks, 0, 100), share=3e-4).round(1)
    absent = logistic(-4.5 - 0.9 * engagement)[:, :, None]
    marks[rng.random(marks.shape) < absent * np.array([3, 1] + SUBJECTS * [0.5])] = np.nan

    rating = np.digitize(
        0.6 * general + engagement + rng.normal(0, 0.6, shape), [-1.2, 0.0, 1.3]
    ).astype(float)
    rating[rng.random(shape) < 0.03] = np.nan
    online = rng.poisson(np.exp(4.2 + 0.4 * engagement + rng.normal(0, 0.3, shape))).astype(float)
    online[rng.random(shape[0]) < np.where(persons.residence == "rural", 0.12, 0.02)] = np.nan
    education = np.where(rng.random(shape[0]) < 0.04, np.nan, persons.education)

    values = np.concatenate(
        [
            marks[:, :, :2],
            np.stack([rating, online, courses, tutoring], axis=2),
            np.broadcast_to(education[:, None, None], (*shape, 1)),
            marks[:, :, 2:],
        ],
        axis=2,
    ).astype(np.float32)
    lengths = first_departure(rng, np.full(shape, 0.008))
    values[np.arange(PERIODS)[None, :] >= lengths[:, None]] = np.nan
    return values, lengths


def _choices(rng: np.random.Generator, persons: _Persons) -> Whole:
    """Positions of the course levels: 0 (undecided) until the choice, then 1, 2 or 3."""
    science = persons.subjects[:, [0, 3, 4]].mean(axis=1) - persons.subjects[:, 1:3].mean(axis=1)
    leaning = np.digitize(science + rng.normal(0, 0.3, len(science)), [-0.25, 0.15])
    chosen = np.array([2, 3, 1])[leaning]
    return np.where(np.arange(PERIODS)[None, :] < CHOICE, 0, chosen[:, None])


def _examinations(
    rng: np.random.Generator,
    persons: _Persons,
    engagement: Doubles,
    courses: Whole,
    tutoring: NDArray[np.bool_],
) -> Doubles:
    shape = (*engagement.shape, SUBJECTS)
    trend = rng.normal(0.0, 0.8, (shape[0], 1)) * np.arange(PERIODS)
    form = rng.normal(0.0, 2.5, engagement.shape)
    personal = 4.5 * engagement + trend + form + 2 * tutoring
    return np.asarray(
        69
        + 10 * persons.subjects[:, None, :]
        + personal[:, :, None]
        + EFFECT[courses]
        + rng.normal(0, 4, shape)
    )


def _ended_badly(values: Floats, lengths: Whole) -> NDArray[np.bool_]:
    last = values[np.arange(len(values)), lengths - 1, -SUBJECTS:]
    return np.asarray(_mean(last) < PASS_MARK)


def _mean(scores: Floats) -> Floats:
    """Mean over the subjects that were sat; NaN where none was."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.asarray(np.nanmean(scores, axis=-1))
