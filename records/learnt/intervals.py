"""Intervals: how far next scores lay from their forecasts on records the weights never saw.

`training.fitting.intervals` learns them by split conformal prediction; the bundle keeps them and every
forecast is answered with them.
"""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from records.arrays import Doubles
from records.kept import KeptDoubles


class Intervals(BaseModel):
    """Half-widths of the interval around each forecast, by period and subject.

    Attributes:
        coverage: Share of the scores that the intervals aim to hold, such as 0.9.
        learnt_on: Which records taught them, in words.
        subjects: Order of the columns.
        minimum: Smallest score; no interval reaches below.
        maximum: Largest score.
        scores: Period -> subject -> number of forecasts compared.
        half_width: Period -> subject -> half-width, raw units.
        measured: Period (counted from 1) -> share of the test part's scores that lay within.
        measured_overall: The same over all periods; None where the test part has no score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    coverage: float = Field(gt=0, lt=1)
    learnt_on: str
    subjects: tuple[str, ...]
    minimum: float
    maximum: float
    scores: tuple[tuple[int, ...], ...]
    half_width: tuple[tuple[float, ...], ...]
    measured: dict[int, float] = Field(default_factory=dict)
    measured_overall: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.scores) != len(self.half_width):
            raise ValueError("scores and half_width need one row each a period")
        for row in (*self.scores, *self.half_width):
            if len(row) != len(self.subjects):
                raise ValueError("each row needs one entry for each subject")
        if any(width < 0 for row in self.half_width for width in row):
            raise ValueError("half-widths must not be negative")
        return self

    def around(self, forecast: NDArray[np.floating], period: NDArray[np.integer]) -> Doubles:
        """Return the interval around forecasts.

        Args:
            forecast: (rows, subjects), raw units; NaN where there is none.
            period: (rows,) period in which each was made, counted from 1; 0 as 1.

        Returns:
            (2, rows, subjects): lower and upper ends within the range of the score, NaN likewise.
        """
        widths = self._half_widths.array[np.maximum(period, 1) - 1]
        ends = np.empty((2, *widths.shape))
        np.subtract(forecast, widths, out=ends[0])
        np.add(forecast, widths, out=ends[1])
        # `clip` takes several times as long for few students.
        np.maximum(ends, self.minimum, out=ends)
        return np.minimum(ends, self.maximum, out=ends)

    @cached_property
    def _half_widths(self) -> KeptDoubles:
        return KeptDoubles(np.array(self.half_width))
