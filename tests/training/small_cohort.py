"""Small cohorts straight from arrays, with every kind of feature, gaps and unknown targets."""

import numpy as np

from records.cohort import Cohort
from records.contract import (
    Contract,
    Feature,
    Kind,
    Periods,
    RiskTarget,
    ScoreTarget,
    Targets,
)

PERIODS = 5
CONTRACT = Contract(
    name="small",
    version=1,
    title="Small",
    periods=Periods(name="week", maximum=PERIODS),
    features=(
        Feature(name="mark", label="Mark", minimum=0, maximum=20),
        Feature(name="hours", label="Hours", minimum=0),
        Feature(name="track", label="Track", kind=Kind.CATEGORICAL, levels=("a", "b", "c")),
        Feature(name="effort", label="Effort", kind=Kind.ORDINAL, levels=("low", "fair", "high")),
        Feature(name="aid", label="Aid", kind=Kind.FLAG),
    ),
    targets=Targets(
        risk=RiskTarget(label="Fails"),
        score=ScoreTarget(label="Next", minimum=0, maximum=100, subjects=("maths", "reading")),
    ),
)
MARK, HOURS, TRACK, EFFORT, AID = range(5)


def small_cohort(
    records: int = 120, *, seed: int = 0, students: int | None = None, cohorts: int = 4
) -> Cohort:
    """Draw records whose marks tell of their ability, and their ability of risk and score.

    Args:
        records: How many.
        seed: Of the draw.
        students: How many people the records belong to; None for one record each.
        cohorts: How many intakes, named '2001', '2002', …
    """
    random = np.random.default_rng(seed)
    shape = (records, PERIODS)
    ability = random.normal(size=records)
    values = np.empty((*shape, len(CONTRACT.features)), np.float32)
    values[:, :, MARK] = np.clip(10 + 4 * ability[:, None] + random.normal(size=shape), 0, 20)
    values[:, :, HOURS] = random.gamma(2, 3, size=shape)
    values[:, :, TRACK] = random.integers(0, 3, records)[:, None]
    values[:, :, EFFORT] = np.clip(np.round(1 + ability[:, None] / 2), 0, 2)
    values[:, :, AID] = random.random(records)[:, None] < 0.3
    values[random.random(values.shape) < 0.15] = np.nan
    lengths = random.integers(2, PERIODS + 1, records).astype(np.int32)
    lengths[0] = PERIODS
    observed = np.arange(PERIODS)[None, :] < lengths[:, None]
    values[~observed] = np.nan
    risk = np.repeat((ability + random.normal(0, 0.4, records) < -0.3)[:, None], PERIODS, axis=1)
    drawn = 50 + 15 * ability[:, None, None] + random.normal(0, 5, (*shape, 2))
    score = np.asarray(np.clip(drawn, 0, 100), np.float32)
    score[random.random(score.shape) < 0.1] = np.nan
    score[~observed] = np.nan
    ids = np.array([f"r{number:04d}" for number in range(records)])
    people = np.array([f"s{number:04d}" for number in range(students or records)])
    return Cohort(
        contract=CONTRACT,
        ids=ids,
        students=ids if students is None else random.choice(people, records),
        cohorts=np.array([f"{2001 + number}" for number in random.integers(0, cohorts, records)]),
        values=values,
        lengths=lengths,
        eligible=observed & (random.random(shape) < 0.9),
        risk=np.where(random.random(shape) < 0.05, np.nan, risk).astype(np.float32),
        score=score,
    )
