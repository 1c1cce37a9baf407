"""Say term by term how a MIDFIELD student is doing."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from records.arrays import Doubles
from records.contract import Contract
from records.sources.midfield_tables import NO_YES, TRANSFER, MidfieldTables, ranked

_AT_ENTRY: Final = ("hours_transfer", "sat_math", "sat_verbal", "act_comp")
_HOURS: Final = {
    "hours_attempted": "hours_term_attempt",
    "hours_earned": "hours_term",
    "hours_attempted_total": "hours_cumul_attempt",
    "hours_earned_total": "hours_cumul",
}
# By the last digit of a term's number, 1 to 6: position of the season among fall, winter, spring,
# summer (two sessions more), and the fall and spring terms of the year begun before it and by it.
_SEASON: Final = np.array([np.nan, 0, 1, 2, 3, 3, 3])
_BEFORE: Final = np.array([np.nan, 0, 1, 1, 2, 2, 2])
_BEGUN: Final = np.array([np.nan, 1, 1, 2, 2, 2, 2])


class TermGrid:
    """Lay the rows of the term table out as (students, terms).

    Args:
        tables: Whose terms, ordered by student and term.
        width: Terms kept of each student, the first ones.
    """

    def __init__(self, tables: MidfieldTables, width: int) -> None:
        rows = tables.terms["row"].to_numpy(np.intp)
        place = tables.terms.groupby("row").cumcount().to_numpy(np.intp)
        self._kept = place < width
        self._cells = (rows[self._kept], place[self._kept])
        self._shape = (len(tables.students), width)
        self._terms = tables.terms

    def numbers(self, column: str) -> Doubles:
        """Return a column as (students, width) float64, NaN where there is no term or value."""
        return self._spread(self._terms[column].to_numpy(np.float64, na_value=np.nan))

    def positions(self, column: str, words: Sequence[str]) -> Doubles:
        """Return the position of each cell's word in `words`, NaN where it is another or none."""
        return self._spread(_positions(self._terms[column], words))

    def _spread(self, numbers: Doubles) -> Doubles:
        grid = np.full(self._shape, np.nan)
        grid[self._cells] = numbers[self._kept]
        return grid


def background(students: pd.DataFrame, contract: Contract) -> dict[str, Doubles]:
    """Give what was known at entry: feature name -> (students, 1)."""
    institutions = contract.feature("institution").levels
    columns = {
        "institution": _positions(students["institution"], institutions),
        "transfer": _positions(students["transfer"], TRANSFER),
        **{name: students[name].to_numpy(np.float64, na_value=np.nan) for name in _AT_ENTRY},
    }
    return {name: column[:, None] for name, column in columns.items()}


def by_term(grid: TermGrid, contract: Contract) -> dict[str, Doubles]:
    """Compute what each term shows: feature name -> (students, terms of the grid).

    Every number looks at its own term and those before it; beyond the last term all is NaN.
    """
    term, gpa, major = grid.numbers("term"), grid.numbers("gpa_term"), grid.numbers("major")
    there = ~np.isnan(term)
    before, begun = _count(term, _BEFORE), _count(term, _BEGUN)
    skipped, changed = np.zeros(term.shape), np.zeros(term.shape)
    skipped[:, 1:] = before[:, 1:] - begun[:, :-1]
    changed[:, 1:] = (major[:, 1:] != major[:, :-1]) & ~np.isnan(major[:, 1:] + major[:, :-1])
    columns = {
        "season": _SEASON[_digit(term)],
        "gpa_term": gpa,
        "gpa_change": np.diff(gpa, axis=1, prepend=np.nan),
        "gpa_lowest": np.fmin.accumulate(gpa, axis=1),
        "gpa_cumul": grid.numbers("gpa_cumul"),
        **{name: grid.numbers(column) for name, column in _HOURS.items()},
        "standing": grid.positions("standing", contract.feature("standing").levels),
        "level": grid.positions("level", ranked(contract.feature("level").levels)),
        "coop": grid.positions("coop", NO_YES),
        "terms_skipped": skipped,
        "terms_since_entry": before - before[:, :1],
        "changed_major": changed,
        "majors_changed": changed.cumsum(axis=1),
    }
    return {name: np.where(there, column, np.nan) for name, column in columns.items()}


def _positions(column: pd.Series, words: Sequence[str]) -> Doubles:
    places = {word: float(place) for place, word in enumerate(words)}
    return np.asarray(column.map(places).to_numpy(np.float64, na_value=np.nan))


def _digit(term: Doubles) -> NDArray[np.intp]:
    return (np.nan_to_num(term) % 10).astype(np.intp)


def _count(term: Doubles, of_digit: Doubles) -> Doubles:
    """Count fall and spring terms from year 0 on; two in a year."""
    return np.asarray(2 * (term // 10) + of_digit[_digit(term)])
