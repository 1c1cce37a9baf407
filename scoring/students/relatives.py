"""Fill in the relative features that requests lack; `records.learnt.relative` has the formula."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Ints
from records.contract import Contract
from records.learnt.relative import Moments, RelativeLayout, fill_relatives, learn_moments
from records.learnt.relative_reference import RelativeReference
from scoring.results import BATCH, BUNDLE, SENT
from scoring.students.intake import LazyStudent, StudentBatch

Origins = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Relatives:
    """The relative features of a contract, and the default reference.

    Attributes:
        layout: Which features are relative, and to what.
        default: Moments of the bundle; None where it has none, and nothing is filled in.
    """

    layout: RelativeLayout
    default: Moments | None

    @classmethod
    def from_contract(cls, contract: Contract, reference: RelativeReference | None) -> Self | None:
        """Lay out a contract's relative features; None where it has none."""
        layout = RelativeLayout.of(contract)
        if layout is None:
            return None
        return cls(layout, None if reference is None else reference.moments(layout))

    def fill(
        self, values: Floats, moments: Moments | None = None, origin: int = BUNDLE
    ) -> tuple[Floats, Origins]:
        """Fill in missing values; a value that was sent is never changed.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            moments: What to compare with; the bundle's where None.
            origin: Position in `ORIGINS` of where the moments come from.

        Returns:
            A copy of `values`, and (rows,) position in `ORIGINS`: 'sent' where every value had been
            sent.
        """
        sent = (~np.isnan(values[:, :, self.layout.columns])).any(axis=(1, 2))
        if moments is None:
            moments = self.default
        if moments is not None:
            values, filled = fill_relatives(values, moments)
            sent &= ~filled.any(axis=(1, 2))
        return values, np.where(sent, np.int8(SENT), np.int8(origin))

    def fill_from(self, students: StudentBatch, moments: Moments, origin: int) -> StudentBatch:
        """Fill in students from the given moments."""
        values, reference = self.fill(students.values, moments, origin)
        return replace(students, values=values, reference=reference)

    def fill_from_batch(self, students: StudentBatch) -> StudentBatch:
        """Fill in students from their own values; each counts up to the last period sent."""
        moments = learn_batch(self.layout, students.values, students.lengths)
        return self.fill_from(students, moments, BATCH)

    def leave(self, students: StudentBatch) -> StudentBatch:
        """Fill in nothing: missing values were unknown to the sender."""
        return replace(students, reference=np.full(len(students.ids), SENT, np.int8))

    def complete(
        self, values: Floats, parts: Sequence[StudentBatch | LazyStudent]
    ) -> tuple[Floats, Origins]:
        """Fill in the students of several requests together, unless they are filled in already.

        Args:
            values: (rows, periods, features) of all parts, one after the other.
            parts: Their requests; those with a `reference` are left unchanged.

        Returns:
            As `fill`.
        """
        done = [part.reference for part in parts if part.reference is not None]
        if not done:
            return self.fill(values)
        if len(done) == len(parts):
            return values, np.concatenate(done)
        sizes = [len(part.ids) for part in parts]
        is_pending: Bools = np.repeat([part.reference is None for part in parts], sizes)
        values, reference = values.copy(), np.empty(len(values), np.int8)
        reference[~is_pending] = np.concatenate(done)
        values[is_pending], reference[is_pending] = self.fill(values[is_pending])
        return values, reference


def learn_batch(layout: RelativeLayout, values: Floats, lengths: Ints) -> Moments:
    """Compute the moments of students, each up to the last period sent."""
    within = np.arange(values.shape[1]) < lengths[:, None]
    return learn_moments(layout, values, within)
