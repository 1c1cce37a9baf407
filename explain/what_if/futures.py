"""Futures: what is appended to a history, for presets and for changes of one's own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from explain.comparison import Comparisons, Usual
from explain.what_if.levers import Lever, find_levers
from explain.what_if.types import Preset
from records.arrays import Floats, Positions
from records.contract import Contract
from records.learnt.relative import Moments
from records.learnt.typical import Typical
from scoring.students.relatives import Relatives


@dataclass(frozen=True)
class FutureRequest:
    """A future to ask about.

    Attributes:
        name: What it is called in the answer.
        preset: A preset, or None where `changes` says all.
        changes: Column -> value from the next period on.
    """

    name: str
    preset: Preset | None = None
    changes: Mapping[int, float] | None = None


@dataclass(frozen=True, eq=False)
class Outlook:
    """What follows a history if it goes on as it did.

    Attributes:
        history: (observed periods, features).
        course: (periods, features) as the last three periods, moved with the cohort.
        usual: The typical trajectory behind it; None where none is long enough.
        levers: What can be changed.
    """

    history: Floats
    course: Floats
    usual: Usual | None
    levers: Sequence[Lever]

    @property
    def typical(self) -> Floats:
        """(periods, features) medians of the periods that are appended."""
        return self.course if self.usual is None else self.usual.median[self._rows]

    def changed(self, values: Mapping[int, float]) -> dict[int, Floats]:
        """Return column -> (periods,) values of a change.

        It shows only where typical students have a value, unless they never have: no internal
        examination takes place for one student.
        """
        found = {}
        for column, value in values.items():
            absent = np.isnan(self.typical[:, column])
            absent &= not absent.all()
            found[column] = np.where(absent, self.course[:, column], np.float32(value))
        return found

    def range_of(self, column: int) -> tuple[Floats, Floats]:
        """Return low and high of a feature in the periods that are appended; NaN for none."""
        if self.usual is None:
            nothing = np.full(len(self.course), np.nan, np.float32)
            return nothing, nothing
        return self.usual.low[self._rows, column], self.usual.high[self._rows, column]

    @property
    def _rows(self) -> Positions:
        """(periods,) where the appended periods stand in the typical trajectory."""
        start, longest = len(self.history), len(cast("Usual", self.usual)) - 1
        return np.minimum(np.arange(start, start + len(self.course)), longest)


class Futures:
    """Makes histories with futures.

    Args:
        contract: What records hold.
        typical: Medians and ranges of the cohort; None leaves nothing to change.
        relatives: Compute relative features anew; None where the contract has none.

    Attributes:
        contract: What records hold.
    """

    def __init__(
        self, contract: Contract, typical: Typical | None, relatives: Relatives | None
    ) -> None:
        self.contract = contract
        self._comparisons = Comparisons(contract, typical)
        self._relatives = relatives
        self._handed_in = {
            column: feature.after_hand_in
            for column, feature in enumerate(contract.features)
            if feature.after_hand_in is not None
        }

    def outlook(self, history: Floats, periods: int, hidden: Collection[str] = ()) -> Outlook:
        """Find what follows a history if it goes on as it did, and what can be changed.

        Args:
            history: (observed periods, features).
            periods: How many to append.
            hidden: Features that are not offered.
        """
        start = len(history)
        usual = self._comparisons.usual_for(history, start + periods)
        usual = usual or self._comparisons.usual_for(history, start)
        standing = self._comparisons.standing(history)
        clock = range(start, start + periods)
        levers = find_levers(self.contract, usual, standing, clock, hidden)
        course = self._comparisons.continued(history, usual, periods)
        return Outlook(history, course, usual, levers)

    def presets(self, outlook: Outlook) -> list[Preset]:
        """List the presets that apply: nothing is handed in where nothing is due."""
        found: list[Preset] = ["as_last_three"]
        if outlook.levers:
            found.append("typical")
        due = [
            lever
            for lever in outlook.levers
            if lever.column in self._handed_in and lever.now != self._handed_in[lever.column]
        ]
        return [*found, "hand_in"] if due else found

    def changes(self, outlook: Outlook, request: FutureRequest) -> dict[int, Floats]:
        """Return column -> (periods,) values of what a future changes."""
        if request.preset == "typical":
            return {lever.column: outlook.typical[:, lever.column] for lever in outlook.levers}
        values = dict(request.changes or {})
        if request.preset == "hand_in":
            values = {
                lever.column: self._handed_in[lever.column]
                for lever in outlook.levers
                if lever.column in self._handed_in
            }
        return outlook.changed(values)

    def histories(
        self,
        outlook: Outlook,
        futures: Sequence[Mapping[int, Floats]],
        moments: Moments | None = None,
    ) -> Floats:
        """Return (futures, observed and appended periods, features).

        Args:
            outlook: What follows where nothing is changed.
            futures: Column -> (periods,) values, one mapping a future.
            moments: What relative features are computed from; the bundle's where None.
        """
        start = len(outlook.history)
        whole = np.concatenate((outlook.history, outlook.course))
        rows = np.repeat(whole[None], len(futures), axis=0)
        for row, changes in zip(rows, futures, strict=True):
            for column, values in changes.items():
                row[start:, column] = values
        if self._relatives is None:
            return rows
        columns = self._relatives.layout.columns
        continued = rows[:, start:, columns].copy()
        rows[:, start:, columns] = np.nan
        filled, _ = self._relatives.fill(rows, moments)
        computed = filled[:, start:, columns]
        # Where nothing tells what to compare with, standing stays as it was.
        rows[:, start:, columns] = np.where(np.isnan(computed), continued, computed)
        return rows
