"""Graphs run plainly, over bound buffers and on what is faster; all of it on the CPU's memory."""

import logging
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from records.cohort import Floats
from scoring.bundle.reader import read_bundle
from scoring.runtime.provider_options import CHUNK, ROW_BUCKETS, DeviceOptions
from scoring.runtime.providers import Provider, loadable_providers, open_session
from scoring.runtime.runners import PART, BoundRunner, PlainRunner, SplitRunner, crossover
from scoring.runtime.scorer import Scorer, period_buckets

FEATURES = 5


@pytest.fixture(scope="module", params=["risk", "score"])
def runners(bundle_dir: Path, request: pytest.FixtureRequest) -> tuple[PlainRunner, BoundRunner]:
    bundle = read_bundle(bundle_dir)
    facts = bundle.manifest.graphs[request.param]
    session = open_session(bundle.graph(request.param), "cpu", threads=1)
    return (
        PlainRunner(session, facts.input, facts.output),
        BoundRunner(session, facts.input, facts.output, device="cpu"),
    )


def records(rows: int, periods: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    values = generator.uniform(0, 100, (rows, periods, FEATURES)).astype(np.float32)
    values[generator.random(values.shape) < 0.2] = np.nan
    return values


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, CHUNK + 40), periods=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_bound_buffers_give_what_a_plain_run_gives(
    runners: tuple[PlainRunner, BoundRunner], rows: int, periods: int, seed: int
) -> None:
    plain, bound = runners
    values = records(rows, periods, seed)
    expected = plain.run(values)
    found = bound.run(values)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_an_answer_stays_when_its_buffer_is_used_again(
    runners: tuple[PlainRunner, BoundRunner],
) -> None:
    _, bound = runners
    first = bound.run(records(3, 4, seed=1))
    kept = first.copy()
    bound.run(records(4, 4, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_threads_that_share_buffers_get_their_own_answers(
    runners: tuple[PlainRunner, BoundRunner],
) -> None:
    plain, bound = runners
    inputs = [records(rows, 8, rows) for rows in (2, 3, 4, 60, 64, 200)]
    wrong: list[BaseException] = []

    def work(values: Floats) -> None:
        try:
            expected = plain.run(values)
            for _ in range(30):
                np.testing.assert_allclose(bound.run(values), expected, rtol=1e-5, atol=1e-5)
        except BaseException as error:  # noqa: BLE001 - told to the test
            wrong.append(error)

    crowd = [threading.Thread(target=work, args=(values,)) for values in inputs]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert not wrong


def test_nobody_gets_no_rows(runners: tuple[PlainRunner, BoundRunner]) -> None:
    plain, bound = runners
    assert bound.run(records(0, 3, seed=1)).shape == (0, *plain.run(records(1, 3, 1)).shape[1:])


def test_a_scorer_over_bound_buffers_says_the_same_and_makes_them_when_warming_up(
    bundle_dir: Path,
) -> None:
    bundle = read_bundle(bundle_dir)
    bound = Scorer(bundle, provider="cpu", threads=1, device=DeviceOptions(binding=True))
    plain = Scorer(bundle, provider="cpu", threads=1)
    bound.warm_up()
    runner = bound._risk.runner
    assert isinstance(runner, BoundRunner)
    made = set(runner._buffers)
    buckets = period_buckets(bundle.contract.periods.maximum)
    assert made == {(rows, length, FEATURES) for rows in ROW_BUCKETS for length in buckets}
    generator = np.random.default_rng(3)
    for rows in (1, 7, 300):
        values = records(rows, 8, seed=rows)
        lengths = generator.integers(0, 9, rows).astype(np.int32)
        expected, found = plain.score(values, lengths), bound.score(values, lengths)
        np.testing.assert_allclose(found.risk, expected.risk, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.score, expected.score, rtol=0, atol=1e-3)
    assert set(runner._buffers) == made
    assert bound.placement.bound
    assert not plain.placement.bound
    assert bound.placement.cpu_below == plain.placement.cpu_below == {}


def test_a_scorer_that_splits_says_the_same_on_either_side(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides are CPU sessions, which is all that this machine need have."""
    bundle = read_bundle(bundle_dir)
    plain, split = (Scorer(bundle, provider="cpu", threads=1) for _ in range(2))
    bound = Scorer(bundle, provider="cpu", threads=1, device=DeviceOptions(binding=True))
    for name in ("risk", "score"):
        runner = SplitRunner(plain._placed.runners[name], bound._placed.runners[name])
        monkeypatch.setitem(split._placed.runners, name, runner)
        monkeypatch.setattr(getattr(split, f"_{name}"), "runner", runner)
    split.warm_up()
    assert split.placement.bound
    assert set(split.placement.cpu_below) == {"risk", "score"}
    values, lengths = records(300, 8, seed=4), np.full(300, 8, np.int32)
    expected = plain.score(values, lengths)
    for below in (0, 100, CHUNK + 1):
        for one in split._placed.runners.values():
            monkeypatch.setattr(one, "below", below)
        found = split.score(values, lengths)
        np.testing.assert_allclose(found.risk, expected.risk, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.score, expected.score, rtol=0, atol=1e-3)
        assert split.placement.cpu_below == {"risk": below, "score": below}


def test_without_buffers_on_the_device_graphs_run_plainly_and_it_is_said_once(
    bundle_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = read_bundle(bundle_dir)
    if Provider.CUDA in loadable_providers([bundle.risk_graph]):
        pytest.skip("CUDA loads on this machine")
    facts = bundle.manifest.graphs["risk"]
    session = open_session(bundle.risk_graph, "cpu", threads=1)
    runner = BoundRunner(session, facts.input, facts.output, device="cuda")
    expected = PlainRunner(session, facts.input, facts.output)
    with caplog.at_level(logging.WARNING, "scoring.runtime.runners"):
        for rows in (3, 40):
            values = records(rows, 5, seed=rows)
            np.testing.assert_array_equal(runner.run(values), expected.run(values))
    assert not runner.bound
    assert ["cuda" in message for message in caplog.messages] == [True]


@pytest.mark.parametrize("threads", [1, 2])
def test_one_thread_works_many_rows_off_in_parts_of_equal_size(
    bundle_dir: Path, threads: int
) -> None:
    bundle = read_bundle(bundle_dir)
    facts, periods = bundle.manifest.graphs["risk"], bundle.contract.periods.maximum
    session = open_session(bundle.risk_graph, "cpu", threads=threads)
    runner = PlainRunner(session, facts.input, facts.output)
    for rows in (1, PART // periods, PART // periods + 1, 3 * PART // periods + 7):
        values = records(rows, periods, seed=rows)
        seen: list[Floats] = []
        whole = session.run([facts.output], {facts.input: values})[0]

        def noted(shown: Floats, seen: list[Floats] = seen) -> Floats:
            seen.append(shown)
            answer: Floats = session.run([facts.output], {facts.input: shown})[0]
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "_run", noted)
            answer = runner.run(values)
        np.testing.assert_allclose(answer, whole, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(np.concatenate(seen), values)
        sizes = [len(shown) for shown in seen]
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) == (-(-rows * periods // PART) if threads == 1 else 1)


def session_of(*, start: int, row: int) -> PlainRunner:
    """A real session that does `start` units of work a run and `row` units a row."""
    generator = np.random.default_rng(1)
    nodes, weights = [], []

    def products(name: str, source: str, number: int, width: int) -> str:
        if not number:
            return source
        weights.append(
            numpy_helper.from_array(
                generator.normal(0, width**-0.5, (width, width)).astype(np.float32), name
            )
        )
        for step in range(number):
            nodes.append(helper.make_node("MatMul", [source, name], [f"{name}{step}"]))
            source = f"{name}{step}"
        return source

    # (rows, 1, 64) -> one row of sums, as wide as a run's work wants it, and each row's own work.
    weights.append(numpy_helper.from_array(np.array([0, 1], np.int64), "axes"))
    weights.append(numpy_helper.from_array(np.ones((64, 512), np.float32), "wide"))
    weights.append(numpy_helper.from_array(np.full((512, 64), 1e-9, np.float32), "narrow"))
    nodes.append(helper.make_node("ReduceSum", ["x", "axes"], ["sums"], keepdims=0))
    nodes.append(helper.make_node("MatMul", ["sums", "wide"], ["total"]))
    shared = products("w", "total", start, 512)
    nodes.append(helper.make_node("MatMul", [shared, "narrow"], ["small"]))
    own = products("v", "x", row, 64)
    nodes.append(helper.make_node("Add", [own, "small"], ["y"]))
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1, 64])
        for name in ("x", "y")
    )
    model = helper.make_model(
        helper.make_graph(nodes, "work", [x, y][:1], [y], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return PlainRunner(open_session(bytes(model.SerializeToString()), "cpu", threads=1), "x", "y")


def of_rows(rows: int) -> Floats:
    return np.ones((rows, 1, 64), np.float32)


@pytest.fixture(scope="module")
def quick() -> PlainRunner:
    """Starts at once, and works long on each row: a CPU as a GPU sees it."""
    return session_of(start=0, row=300)


@pytest.fixture(scope="module")
def starting() -> PlainRunner:
    """Takes its time to start, and hardly any for a row: a GPU as a CPU sees it."""
    return session_of(start=100, row=1)


def test_the_batch_size_decides_who_runs(quick: PlainRunner, starting: PlainRunner) -> None:
    for runner in (quick, starting):
        for rows in ROW_BUCKETS:
            runner.run(of_rows(rows))
    found = crossover(quick, starting, of_rows)
    assert 1 < found <= CHUNK
    assert crossover(starting, quick, of_rows) > CHUNK  # at 256 rows the quick one never wins


def test_who_is_faster_throughout_runs_everything(quick: PlainRunner) -> None:
    nothing = session_of(start=0, row=0)
    assert crossover(quick, nothing, of_rows) == 0
    assert crossover(nothing, quick, of_rows) == CHUNK + 1


def test_few_rows_run_on_the_host_and_many_on_the_device(
    quick: PlainRunner, starting: PlainRunner
) -> None:
    split = SplitRunner(quick, starting)
    assert split.below == 0
    split.warm_up(of_rows(1))
    split.settle(of_rows)
    assert 1 < split.below <= CHUNK
    few, many = of_rows(split.below - 1), of_rows(split.below)
    np.testing.assert_array_equal(split.run(few), quick.run(few))
    np.testing.assert_array_equal(split.run(many), starting.run(many))
    assert not np.array_equal(split.run(many), quick.run(many))
