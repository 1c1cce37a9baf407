"""Hypothesis strategies: arbitrary contracts and arbitrary valid cohorts of them."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.arrays import Floats
from records.cohort import Cohort
from records.contract import (
    RESERVED,
    Audit,
    Better,
    Contract,
    Feature,
    Kind,
    Periods,
    RiskTarget,
    ScoreTarget,
    Targets,
)
from records.identity.ids import match_key

# Whatever UTF-8 can carry. A NUL at its end would be lost in NumPy's strings.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
) | st.sampled_from(["NA", "NaN", "1", "a,b", 'a "b"', " a ", "a\r\nb", "a\rb", ";", "\ufeff"])
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in RESERVED and not name.startswith("score")
)
levels = st.lists(texts.map(str.strip).filter(bool), min_size=2, max_size=4, unique=True).map(tuple)
limits = st.tuples(
    st.floats(-1e6, 1e6, width=32) | st.none(), st.floats(-1e6, 1e6, width=32) | st.none()
).map(lambda pair: sorted(pair) if None not in pair else list(pair))  # type: ignore[type-var]


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    """A feature of any kind."""
    kind = draw(st.sampled_from(list(Kind)))
    if kind is Kind.NUMERIC:
        low, high = draw(limits.filter(lambda pair: None in pair or pair[0] != pair[1]))
        better = draw(st.sampled_from(list(Better)))
        return Feature(name=name, label=name, minimum=low, maximum=high, better=better)
    if kind is Kind.FLAG:
        return Feature(name=name, label=name, kind=kind)
    return Feature(name=name, label=name, kind=kind, levels=draw(levels))


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A contract of one to four features, up to five periods, one to three subjects."""
    distinct = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    cut = draw(st.integers(1, min(4, len(distinct))))
    subjects = draw(
        st.just(("score",)) | st.lists(names, min_size=1, max_size=3, unique=True).map(tuple)
    )
    return Contract(
        name="drawn",
        version=1,
        title="Drawn",
        periods=Periods(name="period", maximum=draw(st.integers(1, 5))),
        features=tuple(draw(features(name)) for name in distinct[:cut]),
        targets=Targets(
            risk=RiskTarget(label="risk"),
            score=ScoreTarget(label="score", minimum=-10, maximum=100, subjects=subjects),
        ),
        audit=tuple(Audit(name=name, label=name) for name in distinct[cut:]),
    )


@st.composite
def cohorts(draw: st.DrawFn, contract: Contract | None = None, max_records: int = 5) -> Cohort:
    """A valid cohort of `contract`, or of a drawn one: one to `max_records` records."""
    contract = contract or draw(contracts())
    names = st.lists(texts.filter(match_key), min_size=1, max_size=max_records, unique_by=match_key)
    ids = draw(names)
    count, periods = len(ids), contract.periods.maximum
    shape = (count, periods)
    lengths = draw(hnp.arrays(np.int32, count, elements=st.integers(0, periods)))
    observed = np.arange(periods)[None, :] < lengths[:, None]
    values = np.stack([draw(_values(feature, shape)) for feature in contract.features], axis=2)
    values[~observed] = np.nan
    target = contract.targets.score
    score = hnp.arrays(
        np.float32,
        (*shape, len(target.subjects)),
        elements=_or_nan(st.floats(target.minimum, target.maximum, width=32)),
    )

    def words(least: int) -> st.SearchStrategy[list[str]]:
        return st.lists(
            texts.filter(lambda text: len(text) >= least), min_size=count, max_size=count
        )

    return Cohort(
        contract=contract,
        ids=np.array(ids, np.str_),
        students=np.array(draw(words(1)), np.str_),
        cohorts=np.array(draw(words(0)), np.str_),
        values=values,
        lengths=lengths,
        eligible=draw(hnp.arrays(np.bool_, shape)) & observed,
        risk=draw(hnp.arrays(np.float32, shape, elements=_or_nan(st.sampled_from([0.0, 1.0])))),
        score=draw(score),
        audit={a.name: np.array(draw(words(0)), np.str_) for a in contract.audit},
    )


def _values(feature: Feature, shape: tuple[int, int]) -> st.SearchStrategy[Floats]:
    if feature.kind is Kind.NUMERIC:
        numbers = st.floats(
            feature.minimum, feature.maximum, width=32, allow_nan=False, allow_infinity=False
        )
    else:
        numbers = st.integers(0, int(feature.upper_bound)).map(float)
    return hnp.arrays(np.float32, shape, elements=_or_nan(numbers))


def _or_nan(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[float]:
    return st.just(float("nan")) | numbers
