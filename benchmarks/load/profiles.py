"""How load rises and falls: shapes from 0 to 1 over a run, independent of its length and height."""

from enum import StrEnum

import numpy as np


class Profile(StrEnum):
    """A shape of load."""

    DAY = "day"
    TERM_END = "term-end"
    SPIKE = "spike"
    SOAK = "soak"


# (fraction of the run, share of the peak), straight lines between.
_POINTS: dict[Profile, tuple[tuple[float, float], ...]] = {
    # Midnight to midnight: offices open at 8, lunch, a second peak at 15, students until 23.
    Profile.DAY: (
        *((0.0, 0.05), (0.25, 0.05), (0.35, 0.7), (0.42, 1.0), (0.52, 0.6)),
        *((0.63, 0.9), (0.75, 0.4), (0.9, 0.3), (1.0, 0.05)),
    ),
    # Marks are published, all users look, and the load stays high.
    Profile.TERM_END: ((0.0, 0.2), (0.3, 0.4), (0.5, 1.0), (0.9, 1.0), (1.0, 0.5)),
    # A reminder goes out to all advisers at once, and is forgotten as fast.
    Profile.SPIKE: ((0.0, 0.1), (0.4, 0.1), (0.401, 1.0), (0.6, 1.0), (0.601, 0.1), (1.0, 0.1)),
    # Half the peak without an end: what leaks shows.
    Profile.SOAK: ((0.0, 0.5), (1.0, 0.5)),
}


def share_of_peak(profile: Profile, fraction: float) -> float:
    """Return the load, as a share of the peak, when `fraction` of the run is over."""
    at, shares = zip(*_POINTS[profile], strict=True)
    return float(np.interp(fraction, at, shares))
