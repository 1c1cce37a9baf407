"""Decide which students had no degree six years after entry, and where that is unknown."""

from typing import Final

import numpy as np

from records.arrays import Doubles
from records.sources.midfield_tables import MidfieldTables

YEARS_TO_DEGREE: Final = 6
# Terms 4, 5 and 6 of an academic year are summer sessions, its last.
_SUMMER: Final = 4
# Degrees per senior, as a share of the institution's median, below which a year's degrees cannot
# be all there: measured, Institution J has 0.03 to 0.26 in 2004 to 2007, every other year 0.4.
_RECORDED_SHARE: Final = 1 / 3


def deadline(entry: Doubles) -> Doubles:
    """Return the first term after six years from the term of entry, both as YYYYT."""
    return entry + 10 * YEARS_TO_DEGREE


def no_degree(tables: MidfieldTables, entry: Doubles) -> Doubles:
    """Tell who had earned no degree within six years of entry.

    Records end at another time at each institution, and some lack the degrees of whole years.
    Nothing is known of students whose six years reach past their institution's last term or into
    such a year. That holds for those of them who have a degree, too: to count only the degrees
    that happen to be known would make the outcome look better than it is.

    Args:
        tables: The files.
        entry: (students, 1) the first term as YYYYT.

    Returns:
        (students, 1) 1 without and 0 with a degree, NaN where nothing is known.
    """
    institution = tables.students["institution"]
    last = tables.years["last_term"].groupby("institution").max()
    recorded = institution.map(last).to_numpy(np.float64)[:, None]
    # The first term that the institution's records lack.
    lacking = np.where(recorded % 10 >= _SUMMER, 10 * (recorded // 10) + 11, recorded + 1)
    end = deadline(entry)
    known = end <= lacking
    last_year = end // 10 - (end % 10 == 1)
    for place, year in _years_without_degrees(tables):
        there = (institution == place).to_numpy()[:, None]
        known &= ~(there & (entry // 10 <= year) & (year <= last_year))
    degree = tables.students["first_degree"].to_numpy(np.float64)[:, None]
    return np.where(known, ~(degree < end), np.nan)


def _years_without_degrees(tables: MidfieldTables) -> list[tuple[str, int]]:
    """List the institutions and academic years whose degrees are not all recorded."""
    years = tables.years[tables.years["seniors"] > 0]
    share = years["degrees"].fillna(0) / years["seniors"]
    usual = share.groupby("institution").transform("median")
    return [
        (str(place), int(year)) for place, year in share.index[share <= usual * _RECORDED_SHARE]
    ]
