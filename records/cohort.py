"""The cohort: many records as aligned arrays."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Ints, Strings
from records.contract import Contract, Kind
from records.errors import CohortError


@dataclass(frozen=True, eq=False)
class Cohort:
    """Records as aligned arrays; row r of every array is the same record.

    A record is one enrolment: a person with two enrolments has two records and one `students` key.
    Period p of the contract (1, 2, …) stands at position p - 1 of the periods axis.

    Attributes:
        contract: What the columns mean.
        ids: (records,) unique pseudonymous id of the record.
        students: (records,) pseudonymous id of the person; splits never separate its records.
        cohorts: (records,) intake, such as '2013B'; sorts in the order of time.
        values: (records, periods, features) float32, raw units, NaN for missing; categorical and
            ordinal features as the position of their level. NaN from `lengths` on.
        lengths: (records,) int32, periods observed so far, 0 … contract maximum.
        eligible: (records, periods) bool, whether a prediction made at the end of that period
            counts: the student is still there and the outcome is not yet known.
        risk: (records, periods) float32, the outcome (0 or 1) that a prediction made at the end
            of that period is judged by; NaN where unknown or censored.
        score: (records, periods, subjects) float32, the next score after that period, NaN where
            there is none.
        audit: Attribute name -> (records,) strings, '' where unknown. Never model inputs.
    """

    contract: Contract
    ids: Strings
    students: Strings
    cohorts: Strings
    values: Floats
    lengths: Ints
    eligible: Bools
    risk: Floats
    score: Floats
    audit: Mapping[str, Strings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        records, periods = len(self.ids), self.contract.periods.maximum
        subjects = len(self.contract.targets.score.subjects)
        shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "students": (self.students.shape, (records,)),
            "cohorts": (self.cohorts.shape, (records,)),
            "values": (self.values.shape, (records, periods, len(self.contract.features))),
            "lengths": (self.lengths.shape, (records,)),
            "eligible": (self.eligible.shape, (records, periods)),
            "risk": (self.risk.shape, (records, periods)),
            "score": (self.score.shape, (records, periods, subjects)),
            **{name: (column.shape, (records,)) for name, column in self.audit.items()},
        }
        for name, (actual, expected) in shapes.items():
            if actual != expected:
                raise CohortError(f"`{name}` has shape {actual}, expected {expected}.")
        self._check_types()
        if set(self.audit) != {attribute.name for attribute in self.contract.audit}:
            raise CohortError("`audit` must hold exactly the contract's audit attributes.")
        if len(np.unique(self.ids)) != records:
            raise CohortError("`ids` must be unique; merge or rename the duplicates.")
        if (self.ids == "").any() or (self.students == "").any():
            raise CohortError("`ids` and `students` must not be empty; '' would join strangers.")
        if ((self.lengths < 0) | (self.lengths > periods)).any():
            raise CohortError(f"`lengths` must lie between 0 and {periods}.")
        if not (np.isnan(self.risk) | np.isin(self.risk, (0, 1))).all():
            raise CohortError("`risk` must be 0, 1 or NaN.")
        beyond = np.arange(periods)[None, :] >= self.lengths[:, None]
        if not np.isnan(self.values[beyond]).all() or self.eligible[beyond].any():
            raise CohortError("values and eligibility must be empty from `lengths` on.")

    def _check_types(self) -> None:
        for name, dtype in _NUMBERS.items():
            if getattr(self, name).dtype != dtype:
                raise CohortError(f"`{name}` must be {np.dtype(dtype)}.")
        strings = {name: getattr(self, name) for name in ("ids", "students", "cohorts")}
        for name, column in {**strings, **self.audit}.items():
            if column.dtype.kind != "U":
                raise CohortError(f"`{name}` must be an array of strings.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def observed(self) -> Bools:
        """(records, periods) whether the period lies within the record's length."""
        periods = np.arange(self.contract.periods.maximum)
        return np.asarray(periods[None, :] < self.lengths[:, None])

    def at(self, cutoff: int) -> Self:
        """Return only what was known at the end of period `cutoff`.

        Later values and eligibility are blank and so are all targets: a target is known only
        after the period that it belongs to. Periods keep their positions.

        Raises:
            CohortError: `cutoff` is not a period of the contract.
        """
        if not 1 <= cutoff <= self.contract.periods.maximum:
            raise CohortError(
                f"cutoff {cutoff} is no {self.contract.periods.name} of this contract "
                f"(1 to {self.contract.periods.maximum})."
            )
        values, eligible = self.values.copy(), self.eligible.copy()
        values[:, cutoff:] = np.nan
        eligible[:, cutoff:] = False
        return replace(
            self,
            values=values,
            eligible=eligible,
            lengths=np.minimum(self.lengths, cutoff).astype(np.int32),
            risk=np.full_like(self.risk, np.nan),
            score=np.full_like(self.score, np.nan),
        )

    def take(self, rows: NDArray[np.integer] | Bools | Sequence[int]) -> Self:
        """Return the records at `rows` (positions or a mask), in that order."""
        index = np.asarray(rows)
        if index.size == 0:
            index = index.astype(np.intp)
        arrays: dict[str, Any] = {name: getattr(self, name)[index] for name in _PER_RECORD}
        audit = {name: column[index] for name, column in self.audit.items()}
        return replace(self, **arrays, audit=audit)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join cohorts of one contract, in order.

        Raises:
            CohortError: No parts, or parts of different contracts.
        """
        if not parts:
            raise CohortError("nothing to concatenate.")
        if len({part.contract.fingerprint for part in parts}) > 1:
            raise CohortError("the parts follow different contracts.")
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_RECORD
        }
        audit = {
            name: np.concatenate([part.audit[name] for part in parts]) for name in parts[0].audit
        }
        return replace(parts[0], **arrays, audit=audit)

    def fingerprint(self) -> str:
        """Return the SHA-256 of contract and data: equal exactly when both are."""
        digest = hashlib.sha256(self.contract.fingerprint.encode())
        for name in _PER_RECORD:
            _update(digest, name, getattr(self, name))
        for name in sorted(self.audit):
            _update(digest, name, self.audit[name])
        return digest.hexdigest()


_NUMBERS = {
    "values": np.float32,
    "lengths": np.int32,
    "eligible": np.bool_,
    "risk": np.float32,
    "score": np.float32,
}
_PER_RECORD = ("ids", "students", "cohorts", "values", "lengths", "eligible", "risk", "score")


def _update(digest: "hashlib._Hash", name: str, array: NDArray[np.generic]) -> None:
    digest.update(f"{name}{array.shape}".encode())
    if array.dtype.kind == "U":
        # As JSON, so that no text can pass for two and no width of the array matters.
        digest.update(json.dumps(array.tolist()).encode())
    elif array.dtype.kind == "f":
        # One pattern of bits for every NaN and one for zero: equal numbers, equal hash.
        numbers = np.asarray(array, np.float32) + np.float32(0)
        digest.update(np.where(np.isnan(numbers), np.float32(np.nan), numbers).tobytes())
    else:
        digest.update(np.ascontiguousarray(array).tobytes())


def numeric_columns(contract: Contract) -> list[int]:
    """Positions of the numeric features: what means, scales and fences are learnt for."""
    return [i for i, feature in enumerate(contract.features) if feature.kind is Kind.NUMERIC]
