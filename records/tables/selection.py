"""What leaving rows of a table out changes: the share at risk, and how much is missing."""

import logging
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools
from records.errors import CohortError
from records.tables.assembly import SliceRows

_log = logging.getLogger(__name__)

# A share at risk that changes by both is a different question for a model to learn.
NOTABLE_CHANGE = 0.01
NOTABLE_RATIO = 0.05


class _Rejected(Protocol):
    count: int
    target: Path


class Selection:
    """Compares all rows of a table with those that are left."""

    def __init__(self) -> None:
        # All rows, then the rows that are left: outcomes, those at risk, cells, missing ones.
        self._all = np.zeros(4, np.int64)
        self._left = np.zeros(4, np.int64)

    def add(self, rows: SliceRows) -> None:
        """Count the rows of a slice."""
        self._all += _counts(rows, np.ones(len(rows.sound), np.bool_))
        self._left += _counts(rows, rows.sound)

    @property
    def at_risk(self) -> tuple[float, float]:
        """Share of known outcomes that are at risk: of all rows, of those left; NaN for none."""
        return _share(self._all[1], self._all[0]), _share(self._left[1], self._left[0])

    @property
    def missing(self) -> tuple[float, float]:
        """Share of feature cells that are missing: of all rows, of those left."""
        return _share(self._all[3], self._all[2]), _share(self._left[3], self._left[2])

    @property
    def is_notable(self) -> bool:
        """Whether the share at risk changes notably."""
        before, after = self.at_risk
        if np.isnan(before):
            return False
        if np.isnan(after):
            return True
        change = abs(after - before)
        return bool(change >= NOTABLE_CHANGE and change >= NOTABLE_RATIO * before)

    def report(self, rejected: _Rejected, file: str, *, insist: bool) -> None:
        """Log what leaving rows out changes.

        Raises:
            CohortError: The share at risk changes notably, and `insist` is false.
        """
        before, after = self.at_risk
        change = f"share at risk {before:.1%} before, {after:.1%} after"
        if np.isnan(before):
            change = "no outcomes"
        missing_before, missing_after = self.missing
        _log.warning(
            "%s: %d rejected row(s) are in %s; %s; missing cells %.1f%% before, %.1f%% after.",
            file,
            rejected.count,
            rejected.target,
            change,
            100 * missing_before,
            100 * missing_after,
        )
        if self.is_notable and not insist:
            raise CohortError(
                f"{file}: leaving out the rejected rows changes the {change}. Mend the rows, or "
                "go on nevertheless with insist (--insist)."
            )


def _counts(rows: SliceRows, chosen: Bools) -> NDArray[np.int64]:
    cells = rows.cells
    outcomes = np.full(len(chosen), np.nan) if cells.risk is None else cells.risk
    outcomes = outcomes[chosen]
    observed = chosen & cells.observed
    features = [it.values[observed] for it in cells.features if it is not None]
    return np.array(
        [
            np.count_nonzero(~np.isnan(outcomes)),
            np.count_nonzero(outcomes == 1),
            sum(len(values) for values in features),
            sum(np.count_nonzero(np.isnan(values)) for values in features),
        ],
        np.int64,
    )


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float("nan")
