"""A small contract with work to hand in, its typical trajectory, and a model that can be worked out by hand."""

import numpy as np

from explain.comparison import Comparisons
from explain.what_if.simulator import Hidden, Simulator
from records.arrays import Floats, Ints
from records.contract import Better, Contract, Feature, Kind, Relative, load_contract
from records.learnt.relative import Moments, RelativeLayout
from records.learnt.typical import Trajectory, Typical
from scoring.policy.model import load_policy
from scoring.policy.tiers import Tiers
from scoring.students.relatives import Relatives
from tests.records.small_table import CONTRACT

NAN = float("nan")
FEATURES = (
    Feature(
        name="marks",
        label="Marks",
        unit="points",
        minimum=0,
        maximum=100,
        better=Better.HIGHER,
        actionable=True,
    ),
    Feature(
        name="missing",
        label="Work not handed in",
        minimum=0,
        better=Better.LOWER,
        actionable=True,
        group="Submissions",
        after_hand_in=0,
    ),
    Feature(
        name="overdue",
        label="Longest overdue",
        unit="days",
        minimum=0,
        better=Better.LOWER,
        actionable=True,
        group="Submissions",
        after_hand_in=0,
    ),
    Feature(name="age", label="Age", minimum=0),
    Feature(
        name="standing",
        label="Marks, against the others",
        minimum=-6,
        maximum=6,
        better=Better.HIGHER,
        relative=Relative(of="marks"),
    ),
    Feature(
        name="rating",
        label="Rating",
        kind=Kind.ORDINAL,
        levels=("poor", "fair", "good"),
        better=Better.HIGHER,
        actionable=True,
    ),
)
COURSE = Contract(**(dict(CONTRACT) | {"features": FEATURES}))
NAMES = COURSE.feature_names
MARKS, MISSING, OVERDUE, AGE, STANDING, RATING = range(len(NAMES))
PERIODS = COURSE.periods.maximum

# Four weeks; from the third on no marks are given.
TYPICAL = Typical(
    features=NAMES,
    lasting=("missing", "age"),
    trajectories=(
        Trajectory(
            intake="2025",
            records=(50, 48, 46, 44),
            median=((60, 0, 0, 20, 0, 1),) * 3 + ((None, 0, 0, 20, None, 1),),
            low=((40, 0, 0, 18, -1.5, 0),) * 4,
            high=((90, 4, 30, 40, 1.5, 2),) * 4,
        ),
    ),
)
# logit = _BASE - marks / 20 + missing / 2 + overdue / 20 - rating - standing / 10, missing as typical.
_USUAL = np.array([60, 0, 0, 20, 0, 1], np.float32)
_WEIGHTS = np.array([-0.05, 0.5, 0.05, 0, -0.1, -1], np.float32)
_BASE = 3.0


def predict(values: Floats, _: Ints) -> Floats:
    """The risk after each period, from that period alone."""
    known = np.where(np.isnan(values), _USUAL, values)
    level = _BASE + known.astype(np.float64) @ _WEIGHTS
    return (1 / (1 + np.exp(-level))).astype(np.float32)


def risk_of(**last: float) -> float:
    """The risk of a student with these values and typical others."""
    row = _USUAL.copy()
    for name, value in last.items():
        row[NAMES.index(name)] = value
    return float(predict(row[None, None], np.ones(1, np.int32))[0, 0])


def relatives() -> Relatives:
    """Marks have a mean of 60 and a standard deviation of 10 in every week."""
    layout = RelativeLayout.of(COURSE)
    assert layout is not None
    whole = np.full(layout.shape, 1.0)
    moments = Moments(layout, (whole * 100).astype(np.int64), whole * 60, whole * 10)
    return Relatives(layout, moments)


def simulator(hidden: Hidden | None = None, *, is_relative: bool = True) -> Simulator:
    """Asks the model above, with the tiers of the simulated policy: 0, 0.4 and 0.7."""
    return Simulator(
        predict,
        COURSE,
        TYPICAL,
        relatives=relatives() if is_relative else None,
        tiers=Tiers(load_policy("simulated", load_contract("simulated"))),
        hidden=hidden or Hidden(),
    )


def comparisons() -> Comparisons:
    """Compare with the typical trajectory above."""
    return Comparisons(COURSE, TYPICAL)


def history(*rows: list[float]) -> Floats:
    """Marks, missing, overdue, age, standing and rating, week by week."""
    return np.array(rows, np.float32)


STRUGGLING = history([40, 1, 7, 25, -2, 0], [40, 2, 14, 25, -2, 0])
