"""A contract of every kind of feature, a reference with gaps, and policies and students drawn for it."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from records.arrays import Floats, Ints
from records.contract import Contract
from records.learnt.reference import Reference
from scoring.policy.model import Policy

PERIODS = 6
FEATURES = ("mark", "late", "rating", "tutored", "group")
CONTRACT = Contract.model_validate(
    {
        "name": "school",
        "version": 1,
        "title": "School",
        "periods": {"name": "week", "maximum": PERIODS},
        "features": [
            {
                "name": "mark",
                "label": "Mark",
                "minimum": 0,
                "maximum": 100,
                "better": "higher",
                "actionable": True,
            },
            {"name": "late", "label": "Late", "better": "lower", "actionable": True},
            {
                "name": "rating",
                "label": "Rating",
                "kind": "ordinal",
                "levels": ["poor", "fair", "good"],
                "better": "higher",
                "actionable": True,
            },
            {
                "name": "tutored",
                "label": "T",
                "kind": "flag",
                "better": "higher",
                "actionable": True,
            },
            {
                "name": "group",
                "label": "Group",
                "kind": "categorical",
                "levels": ["a", "b", "c", "d"],
                "actionable": True,
            },
        ],
        "targets": {
            "risk": {"label": "Fails"},
            "score": {"label": "Next", "minimum": 0, "maximum": 100},
        },
    }
)
# Marks: none in period 4. Late: no spread in period 6.
REFERENCE = Reference(
    features=FEATURES,
    count=((100, 80, 90, 100, 9),) * 3 + ((5, 80, 90, 100, 9),) + ((100, 80, 90, 100, 9),) * 2,
    mean=((60.0, 2.0, 1.0, 0.5, 1.0),) * 3
    + ((None, 2.0, 1.0, 0.5, 1.0),)
    + ((70.0, 2.0, 1.0, 0.5, 1.0),) * 2,
    spread=((10.0, 1.0, 0.5, 0.5, 1.0),) * 3
    + ((None, 1.0, 0.5, 0.5, 1.0),)
    + ((20.0, 1.0, 0.5, 0.5, 1.0), (20.0, 0.0, 0.5, 0.5, 1.0)),
)


WORDS = {"recommendation": "Talk.", "message": "Hello.", "owner": "tutor", "effort_minutes": 5}
TIERS = ("moderate", "high")  # the lowest is never advised


def windows(least: int) -> st.SearchStrategy[int]:
    return st.integers(least, PERIODS)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    numeric = draw(st.sampled_from(["mark", "late"]))
    amount = draw(st.sampled_from([0.01, 0.1]) | st.floats(0.01, 60))
    kinds: list[dict[str, Any]] = [
        {"feature": numeric, "measure": "level", "window": draw(windows(1)), "worse_than": amount},
        {
            "feature": numeric,
            "measure": "level",
            "window": draw(windows(1)),
            "standard_deviations": amount / 20,
        },
        {"feature": numeric, "measure": "trend", "window": draw(windows(2)), "worsens_by": amount},
        {
            "feature": numeric,
            "measure": "trend",
            "window": draw(windows(2)),
            "standard_deviations": amount / 60,
        },
        {"feature": "rating", "measure": "level", "worse_than": "good"},
        {"feature": "rating", "measure": "level", "is_any": ["poor", "fair"]},
        {"feature": "tutored", "measure": "level", "is_any": [draw(st.booleans())]},
        {"feature": "group", "measure": "level", "is_any": ["a", "d"]},
        {
            "feature": draw(st.sampled_from(FEATURES)),
            "measure": "gap",
            "at_least": draw(windows(1)),
            "usual_share": draw(st.none() | st.floats(0.1, 1)),
        },
    ]
    chosen = draw(st.sampled_from(kinds))
    tiers = draw(st.none() | st.lists(st.sampled_from(TIERS), min_size=1, unique=True))
    return {
        **chosen,
        "priority": draw(st.sampled_from([1, 1, 1, 2, 3])),
        **({"tiers": tiers} if tiers else {}),
    }


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    drawn = draw(st.lists(rules(), min_size=6, max_size=12) | st.lists(rules(), max_size=2))
    return Policy.model_validate(
        {
            "name": "school",
            "version": 1,
            "contract": "school",
            "owners": {"tutor": {"label": "Tutor"}},
            "max_recommendations": draw(st.sampled_from([1, 3, 12])),
            "one_per_feature": draw(st.booleans()),
            "rules": [
                {"id": f"r{at}", "due_days": 7, **WORDS, **rule} for at, rule in enumerate(drawn)
            ],
        }
    )


@st.composite
def students(draw: st.DrawFn) -> tuple[Floats, Ints, NDArray[np.int8]]:
    """Students of numbers that tie, that are anything, and of sizes far apart."""
    rows = draw(st.sampled_from([12, 1, 0]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (rows, PERIODS, len(FEATURES))
    kinds = (
        generator.choice([50, 60, 70, 0, -0.0, 3], shape),
        generator.uniform(-50, 150, shape),
        generator.normal(0, 1, shape) * 10.0 ** generator.integers(-20, 30, shape),
    )
    values = np.choose(generator.integers(0, draw(st.integers(1, 3)), shape), kinds)
    for column, top in ((2, 2), (3, 1), (4, 3)):
        values[:, :, column] = generator.integers(0, top + 1, shape[:2])
    values[generator.random(shape) < draw(st.sampled_from([0.1, 0.0, 0.7]))] = np.nan
    lengths = generator.choice([*range(PERIODS), *[PERIODS] * PERIODS], rows)
    tiers = generator.choice([-1, 0, 1, 2, 2, 2, 2], rows)
    return values.astype(np.float32), lengths.astype(np.int32), tiers.astype(np.int8)
