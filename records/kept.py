"""Keep arrays computed from a model's fields beside them, without being compared as fields."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class ArrayPair:
    """Two float32 arrays that belong together.

    Equal only to itself: Pydantic compares what is cached on a model before it compares the
    fields alone, and arrays, compared, are neither true nor false.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class KeptDoubles:
    """One float64 array; equal only to itself, as `ArrayPair`."""

    array: NDArray[np.float64]
