import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.arrays import Floats, Ints
from records.errors import CohortError
from scoring.bundle.reader import read_bundle
from scoring.runtime.providers import Provider, ProviderError, loadable_providers
from scoring.runtime.scorer import (
    CHUNK,
    RUN_COST,
    Scorer,
    Scores,
    batches,
    pad_periods,
    period_buckets,
)

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def scorer(bundle_dir: Path) -> Scorer:
    return Scorer(read_bundle(bundle_dir), provider="cpu")


def students(scorer: Scorer, count: int, seed: int) -> tuple[Floats, Ints]:
    """Histories within the contract's ranges, of every length, a quarter of the values missing."""
    contract = scorer.bundle.contract
    generator = np.random.default_rng(seed)
    periods = contract.periods.maximum
    low = [feature.lower_bound for feature in contract.features]
    high = [feature.upper_bound for feature in contract.features]
    values = generator.uniform(low, high, (count, periods, len(low))).astype(np.float32)
    values[generator.random(values.shape) < 0.25] = np.nan
    lengths = generator.integers(0, periods + 1, count).astype(np.int32)
    values[np.arange(periods) >= lengths[:, None]] = np.nan
    return values, lengths


def assert_equal_within_tolerance(actual: Scores, expected: Scores, scorer: Scorer) -> None:
    score = scorer.bundle.contract.targets.score
    np.testing.assert_allclose(actual.risk, expected.risk, rtol=0, atol=TOLERANCE)
    allowed = TOLERANCE * (score.maximum - score.minimum)
    np.testing.assert_allclose(actual.score, expected.score, rtol=0, atol=allowed)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_a_batch_equals_its_rows_alone_in_any_order(scorer: Scorer, count: int, seed: int) -> None:
    values, lengths = students(scorer, count, seed)
    together = scorer.score(values, lengths)

    alone = [scorer.score(values[[row]], lengths[[row]]) for row in range(count)]
    rows = Scores(
        risk=np.concatenate([one.risk for one in alone]),
        score=np.concatenate([one.score for one in alone]),
    )
    assert_equal_within_tolerance(together, rows, scorer)

    order = np.random.default_rng(seed).permutation(count)
    shuffled = scorer.score(values[order], lengths[order])
    expected = Scores(risk=together.risk[order], score=together.score[order])
    assert_equal_within_tolerance(shuffled, expected, scorer)


def test_more_rows_than_one_chunk_are_scored_like_the_rows_alone(scorer: Scorer) -> None:
    values, lengths = students(scorer, 2 * CHUNK + 1, seed=1)
    together = scorer.score(values, lengths)
    for row in (0, CHUNK - 1, CHUNK, 2 * CHUNK):
        alone = scorer.score(values[[row]], lengths[[row]])
        expected = Scores(risk=together.risk[[row]], score=together.score[[row]])
        assert_equal_within_tolerance(alone, expected, scorer)


def test_every_observed_period_has_numbers_and_every_other_has_none(scorer: Scorer) -> None:
    values, lengths = students(scorer, 64, seed=2)
    scores = scorer.score(values, lengths)
    observed = np.arange(values.shape[1]) < lengths[:, None]
    assert scores.risk.dtype == scores.score.dtype == np.float32
    assert np.array_equal(~np.isnan(scores.risk), observed)
    assert np.array_equal(~np.isnan(scores.score).any(axis=2), observed)
    assert ((scores.risk[observed] >= 0) & (scores.risk[observed] <= 1)).all()


def test_what_stands_beyond_the_length_changes_nothing(scorer: Scorer) -> None:
    values, lengths = students(scorer, 32, seed=3)
    lengths = np.minimum(lengths, values.shape[1] - 1)
    expected = scorer.score(values, lengths)
    for rubbish in (0.0, 1e30, np.inf, -np.inf):
        spoilt = values.copy()
        spoilt[np.arange(values.shape[1]) >= lengths[:, None]] = rubbish
        scores = scorer.score(spoilt, lengths)
        assert np.array_equal(scores.risk, expected.risk, equal_nan=True)
        assert np.array_equal(scores.score, expected.score, equal_nan=True)


def test_a_history_answers_the_same_after_more_periods_have_passed(scorer: Scorer) -> None:
    values, _ = students(scorer, 16, seed=4)
    maximum = values.shape[1]
    full = scorer.score(values, np.full(16, maximum, np.int32))
    for length in range(1, maximum):
        early = scorer.score(values, np.full(16, length, np.int32))
        np.testing.assert_allclose(
            early.risk[:, :length], full.risk[:, :length], rtol=0, atol=TOLERANCE
        )


def test_arrays_may_have_fewer_periods_than_the_contract(scorer: Scorer) -> None:
    values, lengths = students(scorer, 8, seed=5)
    lengths = np.minimum(lengths, 3)
    scores = scorer.score(values[:, :3], lengths)
    assert scores.risk.shape == (8, 3)
    whole = scorer.score(values, lengths)
    expected = Scores(risk=whole.risk[:, :3], score=whole.score[:, :3])
    assert_equal_within_tolerance(scores, expected, scorer)


def test_nobody_gets_no_answer_and_no_history_gets_no_number(scorer: Scorer) -> None:
    values, _ = students(scorer, 2, seed=6)
    nobody = scorer.score(values[:0], np.zeros(0, np.int32))
    assert nobody.risk.shape == (0, values.shape[1])
    nothing = scorer.score(values, np.zeros(2, np.int32))
    assert np.isnan(nothing.risk).all()
    assert np.isnan(nothing.score).all()


def test_threads_that_score_at_once_get_their_own_answers(scorer: Scorer) -> None:
    inputs = [students(scorer, 50 + 40 * seed, seed) for seed in range(6)]
    expected = [scorer.score(values, lengths) for values, lengths in inputs]
    found: dict[int, list[Scores]] = {}

    def work(position: int) -> None:
        found[position] = [scorer.score(*inputs[position]) for _ in range(10)]

    workers = [threading.Thread(target=work, args=(position,)) for position in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for position, answers in found.items():
        for scores in answers:
            assert_equal_within_tolerance(scores, expected[position], scorer)
    assert len(found) == 6


@pytest.fixture
def seen(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> list[Floats]:
    """What the graphs are given while the test runs."""
    given: list[Floats] = []
    for graph in (scorer._risk, scorer._score):

        def watched(values: Floats, run: Callable[[Floats], Floats] = graph.run) -> Floats:
            given.append(values)
            return run(values)

        monkeypatch.setattr(graph, "run", watched)
    return given


def test_warming_up_runs_every_production_shape(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Floats] = []
    for graph in (scorer._risk, scorer._score):
        monkeypatch.setattr(graph.runner, "run", seen.append)
    scorer.warm_up()
    maximum = scorer.bundle.contract.periods.maximum
    features = len(scorer.bundle.contract.features)
    assert {values.shape for values in seen} == {
        (rows, periods, features) for rows in (1, CHUNK) for periods in period_buckets(maximum)
    }


def test_the_graphs_never_see_what_stands_beyond_the_length(
    scorer: Scorer, seen: list[Floats]
) -> None:
    values, _ = students(scorer, 4, seed=8)
    scorer.score(np.full_like(values, 1e30), np.array([1, 2, 3, 3], np.int32))
    for shown in seen:
        assert np.isnan(shown[:, :, 0]).tolist() == [
            [False, True, True],
            [False, False, True],
            [False, False, False],
            [False, False, False],
        ]


def test_long_histories_do_not_lengthen_short_ones_and_empty_ones_do_not_run(
    scorer: Scorer, seen: list[Floats]
) -> None:
    values, _ = students(scorer, 2 * CHUNK, seed=9)
    lengths = np.tile(np.array([8, 0, 1, 1], np.int32), CHUNK // 2)
    scorer.score(values, lengths)
    shapes = [shown.shape[:2] for shown in seen]
    assert shapes == [(CHUNK, 1), (CHUNK // 2, 8), (CHUNK, 1), (CHUNK // 2, 8)]
    seen.clear()
    scorer.score(values, np.zeros_like(lengths))
    assert seen == []


def test_a_scorer_says_what_it_is_and_since_when(bundle_dir: Path) -> None:
    before = datetime.now(UTC)
    bundle = read_bundle(bundle_dir)
    scorer = Scorer(bundle, provider="cpu")
    assert scorer.provider == "CPUExecutionProvider"
    assert scorer.version == bundle.version
    assert before <= scorer.loaded_at <= datetime.now(UTC)


def test_strict_mode_reaches_the_sessions(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    if Provider.CUDA in loadable_providers([bundle.risk_graph]):
        pytest.skip("CUDA loads on this machine")
    assert Scorer(bundle, provider="cuda").provider == "CPUExecutionProvider"
    with pytest.raises(ProviderError, match="cuda"):
        Scorer(bundle, provider="cuda", strict=True)


@pytest.mark.parametrize(
    ("shape", "lengths", "reason"),
    [
        ((2, 3), [1, 1], r"shape \(2, 3\)"),
        ((2, 3, 6), [1, 1], "5 features"),
        ((2, 9, 5), [1, 1], "at most 8"),
        ((2, 3, 5), [1], "2 records need as many lengths"),
        ((2, 3, 5), [1, 4], "record 1: its length"),
        ((2, 3, 5), [-1, 1], "record 0: its length"),
    ],
)
def test_arrays_that_do_not_fit_the_contract_are_refused(
    scorer: Scorer, shape: tuple[int, ...], lengths: list[int], reason: str
) -> None:
    with pytest.raises(CohortError, match=reason):
        scorer.score(np.zeros(shape, np.float32), np.array(lengths, np.int32))


@given(st.integers(1, 520))
def test_period_buckets_cover_every_length_with_little_padding(maximum: int) -> None:
    buckets = period_buckets(maximum)
    assert list(buckets) == sorted(set(buckets))
    assert buckets[-1] == maximum
    for length in range(1, maximum + 1):
        bucket = next(b for b in buckets if b >= length)
        assert bucket < 1.5 * length or bucket == length


def test_padding_appends_missing_periods_only() -> None:
    values = np.ones((2, 3, 4), np.float32)
    padded = pad_periods(values, 5)
    assert padded.shape == (2, 5, 4)
    assert np.array_equal(padded[:, :3], values)
    assert np.isnan(padded[:, 3:]).all()


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 39), max_size=600).map(lambda all_: np.array(all_, np.int32))
)
def test_every_observed_history_runs_once_and_padding_costs_less_than_a_run(lengths: Ints) -> None:
    buckets = period_buckets(39)
    runs = list(batches(lengths, buckets))
    taken = np.concatenate([np.empty(0, np.intp), *(rows for rows, _ in runs)])
    assert sorted(taken.tolist()) == np.flatnonzero(lengths).tolist()
    for rows, longest in runs:
        assert 0 < len(rows) <= CHUNK
        assert longest == lengths[rows].max()
        bucket = min(length for length in buckets if length >= longest)
        shorter = buckets[: buckets.index(bucket)]
        # What could have run apart, up to any shorter bucket, would not have paid for it.
        if len(runs) == 1 and shorter:
            apart = np.count_nonzero(lengths[rows] <= shorter[-1])
            assert apart * (bucket - shorter[-1]) < RUN_COST


def test_the_forecast_can_be_left_out_row_by_row(scorer: Scorer) -> None:
    values, lengths = students(scorer, 30, seed=4)
    whole = scorer.score(values, lengths)
    wanted = np.arange(30) % 3 == 0
    part = scorer.score(values, lengths, forecast=wanted)
    np.testing.assert_array_equal(part.risk, whole.risk)
    np.testing.assert_allclose(part.score[wanted], whole.score[wanted], atol=1e-3)
    assert np.isnan(part.score[~wanted]).all()
    for unwanted in (False, np.zeros(30, np.bool_)):
        nothing = scorer.score(values, lengths, forecast=unwanted)
        np.testing.assert_array_equal(nothing.risk, whole.risk)
        assert np.isnan(nothing.score).all()
