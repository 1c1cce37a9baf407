"""Types of arrays, by what their elements are."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]  # what records hold and graphs compute
Doubles = NDArray[np.float64]  # what is decided on and shown
Ints = NDArray[np.int32]  # counts and lengths
Bools = NDArray[np.bool_]
Positions = NDArray[np.intp]  # indexes into other arrays
Strings = NDArray[np.str_]
