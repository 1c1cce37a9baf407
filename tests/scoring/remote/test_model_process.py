"""One process that has the model, real processes that feed it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Bools, Floats, Ints
from records.errors import CohortError
from scoring.remote.client import SharedScorer
from scoring.remote.server import SOCKET, Life, ModelOptions, score_together
from scoring.remote.wire import (
    Greeting,
    ModelProcessError,
    Question,
    receive_question,
    receive_scores,
    send_failure,
    send_question,
    send_scores,
)
from scoring.runtime.provider_options import DeviceOptions
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import Scorer, Scores
from tests.conftest import REPOSITORY

ATOL = 1e-5


@pytest.fixture(scope="module")
def options(bundle_dir: Path) -> ModelOptions:
    device = DeviceOptions(binding=True)  # so that an option shows on the other side
    return ModelOptions(str(bundle_dir), Provider.CPU, threads=1, device=device)


@pytest.fixture(scope="module")
def alone(options: ModelOptions) -> Scorer:
    return options.load()


@pytest.fixture(scope="module")
def shared(
    options: ModelOptions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedScorer]:
    folder = tmp_path_factory.mktemp("model")
    scorer = SharedScorer(folder, options, Life(owner=os.getpid(), linger=0.2))
    yield scorer
    process = psutil.Process(scorer.process)
    scorer.close()
    assert not process.is_running()
    assert not folder.exists()


def students(scorer: Scorer, count: int, seed: int) -> tuple[Floats, Ints]:
    contract = scorer.bundle.contract
    generator = np.random.default_rng(seed)
    shape = (count, contract.periods.maximum, len(contract.features))
    values = generator.uniform(0, 100, shape).astype(np.float32)
    values[generator.random(shape) < 0.2] = np.nan
    return values, generator.integers(0, shape[1] + 1, count).astype(np.int32)


def assert_same(actual: Scores, expected: Scores) -> None:
    assert actual.risk.dtype == actual.score.dtype == np.float32
    np.testing.assert_allclose(actual.risk, expected.risk, rtol=0, atol=ATOL)
    np.testing.assert_allclose(actual.score, expected.score, rtol=0, atol=100 * ATOL)


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("forecast", [True, False, np.arange(40) % 3 == 0])
def test_it_answers_as_a_scorer_here_does(
    shared: SharedScorer, alone: Scorer, forecast: bool | Bools
) -> None:
    values, lengths = students(alone, 40, seed=1)
    expected = alone.score(values, lengths, forecast=forecast)
    found = shared.score(values, lengths, forecast=forecast)
    assert_same(found, expected)
    assert found.executions == expected.executions
    empty = shared.score(values[:0], lengths[:0])
    assert empty.score.shape == (0, *expected.score.shape[1:])


def test_it_says_what_a_scorer_here_says(shared: SharedScorer, alone: Scorer) -> None:
    assert shared.version == alone.version
    assert shared.provider == alone.provider
    assert shared.precision == alone.precision
    assert shared.placement == alone.placement
    assert shared.placement.bound
    assert shared.unready is None
    assert shared.loaded_at.utcoffset() is not None
    assert shared.process != os.getpid()


def test_what_does_not_fit_the_contract_never_leaves_the_worker(shared: SharedScorer) -> None:
    with pytest.raises(CohortError, match="as many lengths"):
        shared.score(np.zeros((2, 3, 5), np.float32), np.array([1], np.int32))


def test_many_threads_get_their_own_answers(shared: SharedScorer, alone: Scorer) -> None:
    inputs = [students(alone, 1 + 17 * seed, seed) for seed in range(8)]
    expected = [alone.score(*one) for one in inputs]
    wrong: list[BaseException] = []

    def ask(position: int) -> None:
        try:
            for _ in range(20):
                assert_same(shared.score(*inputs[position]), expected[position])
        except BaseException as error:  # noqa: BLE001 - told to the test
            wrong.append(error)

    crowd = [threading.Thread(target=ask, args=(position,)) for position in range(len(inputs))]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert not wrong


def test_another_worker_finds_the_process_that_is_there(
    shared: SharedScorer, options: ModelOptions
) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from scoring.remote.client import SharedScorer\n"
        "from scoring.remote.server import ModelOptions\n"
        "options, life = ModelOptions.from_arguments(sys.argv[2])\n"
        "scorer = SharedScorer(Path(sys.argv[1]), options, life)\n"
        "import numpy as np\n"
        "shape = (2, 3, len(scorer.bundle.contract.features))\n"
        "scores = scorer.score(np.full(shape, 50, np.float32), np.array([3, 2], np.int32))\n"
        "print(scorer.process, np.isnan(scores.risk).sum())\n"
    )
    arguments = [str(shared._folder), options.arguments(Life(owner=os.getpid()))]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(shared.process), "1"], done.stderr


def test_killed_it_comes_back_and_calls_meanwhile_say_why(
    shared: SharedScorer, alone: Scorer
) -> None:
    values, lengths = students(alone, 20_000, seed=3)
    expected = alone.score(values[:50], lengths[:50])
    before = shared.process
    failed: list[ModelProcessError] = []
    under_way = threading.Event()

    def ask() -> None:
        under_way.set()
        while not failed:
            try:
                shared.score(values, lengths)
            except ModelProcessError as error:
                failed.append(error)

    caller = threading.Thread(target=ask)
    caller.start()
    under_way.wait()
    time.sleep(0.05)
    os.kill(before, signal.SIGKILL)
    caller.join(timeout=30)
    assert "ask again in a moment" in str(failed[0])
    until(lambda: shared.unready is None and shared.process != before)
    assert_same(shared.score(values[:50], lengths[:50]), expected)


def test_a_process_that_cannot_start_says_why(bundle_dir: Path, tmp_path: Path) -> None:
    options = ModelOptions(str(bundle_dir), Provider.OPENVINO, strict=True, threads=1)
    with pytest.raises(ModelProcessError, match="could not start: Execution provider 'openvino'"):
        SharedScorer(tmp_path, options, Life(owner=os.getpid()))


def test_it_ends_when_its_owner_has_and_nobody_is_connected(
    options: ModelOptions, tmp_path: Path
) -> None:
    with subprocess.Popen(["sleep", "60"]) as owner:
        folder = tmp_path / "model"
        folder.mkdir(mode=0o700)
        scorer = SharedScorer(folder, options, Life(owner=owner.pid, linger=60))
        process = psutil.Process(scorer.process)
        owner.kill()
        owner.wait()
        time.sleep(1)
        assert process.is_running()  # somebody is connected
        scorer.close()
        assert not process.is_running()
        assert not folder.exists()


def questions(count: int, features: int, periods: int, seed: int) -> list[Question]:
    generator = np.random.default_rng(seed)
    asked = []
    for _ in range(count):
        records, own = int(generator.integers(0, 6)), int(generator.integers(1, periods + 1))
        wishes: list[bool | Bools] = [True, False, generator.random(records) < 0.5]
        asked.append(
            Question(
                generator.uniform(0, 100, (records, own, features)).astype(np.float32),
                generator.integers(0, own + 1, records).astype(np.int32),
                wishes[int(generator.integers(3))],
            )
        )
    return asked


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_questions_get_together_what_they_get_alone(alone: Scorer, count: int, seed: int) -> None:
    contract = alone.bundle.contract
    asked = questions(count, len(contract.features), contract.periods.maximum, seed)
    answers = score_together(alone, asked)
    for one, found in zip(asked, answers, strict=True):
        assert_same(found, alone.score(one.values, one.lengths, forecast=one.forecast))
    everybody = sum(np.count_nonzero(one.lengths) for one in asked)
    assert sum(sum(found.executions) for found in answers) == everybody


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_questions_and_scores_arrive_as_they_were_sent(seed: int) -> None:
    [asked] = questions(1, 5, 8, seed)
    records, periods = asked.values.shape[:2]
    risk = np.random.default_rng(seed).random((records, periods)).astype(np.float32)
    scores = Scores(risk, np.stack((risk, -risk), axis=2), (3, 5))
    near, far = socket.socketpair()
    with near, far:
        send_question(near, asked)
        got = receive_question(far)
        assert got is not None
        np.testing.assert_array_equal(got.values, asked.values)
        np.testing.assert_array_equal(got.lengths, asked.lengths)
        np.testing.assert_array_equal(got.forecast, asked.forecast)
        send_scores(far, scores, forecasts=True)
        back = receive_scores(near, 2)
        np.testing.assert_array_equal(back.risk, risk)
        np.testing.assert_array_equal(back.score, scores.score)
        assert back.executions == (3, 5)
        send_failure(far, "too hot")
        with pytest.raises(ModelProcessError, match="too hot"):
            receive_scores(near, 2)
        near.close()
        assert receive_question(far) is None


@pytest.mark.parametrize("said", [b"{}\n", b"hello\n", b'{"version": '])
def test_a_stranger_on_the_socket_is_told_apart(said: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(said)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(ModelProcessError):
            Greeting.receive(near)


def test_the_folder_is_for_this_user_alone(shared: SharedScorer) -> None:
    assert shared._folder.stat().st_mode & 0o077 == 0
    assert (shared._folder / SOCKET).is_socket()
