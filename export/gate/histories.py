"""The histories that graphs are proven on: held-out records, short and long, with and without gaps.

Real records, so that the numbers have the sizes and levels that the service will meet; some values
are then taken out or filled in, to cover what these records happen not to show.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from records.arrays import Floats, Ints
from records.cohort import Cohort

# Single rows, odd batches, and more than one chunk of the scorer.
BATCH_SIZES = (1, 5, 33, 512)
LARGEST = max(BATCH_SIZES)


@dataclass(frozen=True, eq=False)
class Histories:
    """Held-out records under one pattern of missing values.

    Attributes:
        pattern: In words.
        records: (records,) position of each in the held-out part.
        values: (records, periods, features) float32, raw units.
        lengths: (records,) int32, periods that the scorer is to answer for.
    """

    pattern: str
    records: Ints
    values: Floats
    lengths: Ints


def patterns(heldout: Cohort, *, seed: int = 0) -> Iterator[Histories]:
    """Yield up to 512 evenly spaced held-out records under each pattern of missing values."""
    records = np.unique(
        np.linspace(0, len(heldout) - 1, min(LARGEST, len(heldout))).round().astype(np.int32)
    )
    part = heldout.take(records)
    recorded = part.values
    complete = _filled(recorded)
    dropped = np.random.default_rng(seed).random(complete.shape) < 0.5
    everything = np.full(len(records), recorded.shape[1], np.int32)
    nan = np.float32(np.nan)
    yield Histories("as recorded", records, recorded, part.lengths)
    yield Histories("nothing missing", records, complete, everything)
    yield Histories("half missing", records, np.where(dropped, nan, complete), everything)
    yield Histories("all missing", records, np.full_like(complete, nan), everything)


def history_lengths(maximum: int) -> list[int]:
    """Return the lengths to try: one period, two, half of them and all."""
    return sorted({length for length in (1, 2, maximum // 2, maximum) if 1 <= length <= maximum})


def batches(count: int) -> Iterator[slice]:
    """Yield batches of 1 (the first eight rows), 5, 33 and 512 rows, as far as there are any."""
    seen = set()
    for size in BATCH_SIZES:
        for start in range(8 if size == 1 else 1):
            rows = slice(start, min(start + size, count))
            if rows.start < count and (rows.start, rows.stop) not in seen:
                seen.add((rows.start, rows.stop))
                yield rows


def _filled(values: Floats) -> Floats:
    """Put the column's median observed value (a value that occurs) where one is missing."""
    filled = values.copy()
    for column in range(values.shape[2]):
        cells = filled[:, :, column]
        missing = np.isnan(cells)
        observed = cells[~missing]
        cells[missing] = np.percentile(observed, 50, method="nearest") if observed.size else 0
    return filled
