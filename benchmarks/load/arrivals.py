"""When requests are due: schedules that know nothing of how the service answers.

An open loop sends when a request is due, however late the answers to earlier ones are, as students
and term ends do. A closed loop waits for answers, slows down with the service and so hides the
queue from its own figures (coordinated omission).
"""

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


def constant_arrivals(rate: float, seconds: float) -> Seconds:
    """Space `rate` requests a second evenly over `seconds`.

    Returns:
        Ascending times in seconds from the start, in [0, seconds).
    """
    return np.arange(round(rate * seconds), dtype=np.float64) / rate


def poisson_arrivals(rate: float, seconds: float, *, seed: int = 0) -> Seconds:
    """Draw independent arrivals, `rate` a second on average, over `seconds`.

    Returns:
        Ascending times in seconds from the start, in [0, seconds).
    """
    rng = np.random.default_rng(seed)
    # Given their number, the arrivals of a Poisson process lie uniformly.
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate * seconds)))
