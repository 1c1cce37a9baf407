"""What the generative models share: blocks of randomness, streams of cohorts, latent processes.

A model draws students in blocks of `BLOCK`. The random numbers of a block depend on the seed and
on the block's position alone, so a student is a pure function of seed and index: neither how many
students are asked for nor how they are cut into chunks changes who they are.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles
from records.cohort import Cohort
from records.errors import CohortError

Whole = NDArray[np.int64]

BLOCK = 1024
# The last place of every group is offered to a student of the group who enrols a second time.
GROUP = 16
INTAKES = 5


def stream(
    make_block: Callable[[np.random.Generator, int], Cohort],
    students: int,
    *,
    seed: int,
    chunk: int,
) -> Iterator[Cohort]:
    """Yield the first `students` records of a model, `chunk` at a time (the last may be shorter).

    Args:
        make_block: Draws the `BLOCK` records whose first index is the second argument.
        students: How many records.
        seed: Of everything random, at least 0.
        chunk: Records per cohort. No more than a chunk and a block are held at once.

    Raises:
        CohortError: An argument is out of range.
    """
    for name, value, least in (("students", students, 1), ("chunk", chunk, 1), ("seed", seed, 0)):
        if value < least:
            raise CohortError(f"`{name}` must be at least {least}.")
    return _chunks(make_block, students, seed, chunk)


def _chunks(
    make_block: Callable[[np.random.Generator, int], Cohort], students: int, seed: int, chunk: int
) -> Iterator[Cohort]:
    waiting: list[Cohort] = []
    for start in range(0, students, BLOCK):
        block = make_block(np.random.default_rng([seed, start // BLOCK]), start)
        waiting.append(block.take(np.arange(min(BLOCK, students - start))))
        if sum(map(len, waiting)) >= chunk:
            held = Cohort.concatenate(waiting)
            whole = len(held) - len(held) % chunk
            for first in range(0, whole, chunk):
                yield held.take(np.arange(first, first + chunk))
            waiting = [held.take(np.arange(whole, len(held)))]
    if any(map(len, waiting)):
        yield Cohort.concatenate(waiting)


def second_enrolments(failed: Bools, intakes: Whole) -> tuple[Whole, Whole]:
    """Choose who of a block enrols again: in each group the first who failed and may come back.

    Args:
        failed: (records,) whether the first enrolment ended badly.
        intakes: (records,) position of the intake; the last intake has none after it.

    Returns:
        Rows of the block that become second enrolments, and the rows of the first ones.
    """
    groups = (failed & (intakes < INTAKES - 1)).reshape(-1, GROUP)[:, :-1]
    found = np.nonzero(groups.any(axis=1))[0]
    return found * GROUP + GROUP - 1, found * GROUP + groups[found].argmax(axis=1)


def logistic(x: Doubles) -> Doubles:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def autoregressive(
    rng: np.random.Generator, level: Doubles, shocks: Doubles, *, memory: float, spread: float
) -> Doubles:
    """Draw a first-order autoregressive process around each student's own level.

    eₜ = level + memory · (eₜ₋₁ - level) + shockₜ + noise, started from its stationary spread.

    Args:
        rng: Source of the noise.
        level: (records,) long-run mean.
        shocks: (records, periods) added at each period and remembered like any deviation.
        memory: Share of a deviation that is left after one period.
        spread: Standard deviation of the noise of one period.

    Returns:
        (records, periods).
    """
    deviation = rng.normal(0.0, spread / np.sqrt(1.0 - memory**2), level.shape)
    path = np.empty_like(shocks)
    for period in range(shocks.shape[1]):
        if period:
            deviation = memory * deviation + rng.normal(0.0, spread, level.shape)
        deviation = deviation + shocks[:, period]
        path[:, period] = level + deviation
    return path


def life_events(
    rng: np.random.Generator, records: int, periods: int, *, share: float, stay: float
) -> Bools:
    """Draw at most one life event per student: it begins at some period and lasts a while.

    Args:
        rng: Source of the draws.
        records: Number of students.
        periods: Number of periods.
        share: Share of the students whom something befalls.
        stay: Chance that it lasts one more period (geometric duration).

    Returns:
        (records, periods) whether the event is under way.
    """
    onset = rng.integers(0, periods, records)
    duration = rng.geometric(1.0 - stay, records)
    struck = rng.random(records) < share
    period = np.arange(periods)[None, :]
    under_way = (period >= onset[:, None]) & (period < (onset + duration)[:, None])
    return np.asarray(under_way & struck[:, None])


def first_departure(rng: np.random.Generator, hazard: Doubles) -> Whole:
    """Draw after how many periods each student leaves.

    Args:
        rng: Source of the draws.
        hazard: (records, periods) chance of leaving at the end of that period.

    Returns:
        (records,) periods attended, 1 … periods; students who never leave attend all.
    """
    leaves = rng.random(hazard.shape) < hazard
    leaves[:, -1] = True
    return np.asarray(leaves.argmax(axis=1) + 1)


def slip_decimals(rng: np.random.Generator, marks: Doubles, *, share: float) -> Doubles:
    """Enter a few marks a tenth too small, as a slipped decimal point does (73 becomes 7.3)."""
    return np.where(rng.random(marks.shape) < share, marks / 10.0, marks)


def intake_names(intakes: Whole, first_year: int) -> NDArray[np.str_]:
    """Name the intakes: position 0 is '<first_year>B', every next one a year later."""
    years = np.arange(first_year, first_year + INTAKES)
    return np.asarray(np.char.add(years.astype(str), "B")[intakes])
