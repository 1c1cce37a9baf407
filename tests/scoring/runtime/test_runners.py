"""Graphs give the same output whether they run at once or in parts."""

from pathlib import Path

import numpy as np
import pytest

from records.arrays import Floats
from scoring.bundle.reader import read_bundle
from scoring.runtime.providers import open_session
from scoring.runtime.runners import PART, SessionRunner

FEATURES = 5


def records(rows: int, periods: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    values = generator.uniform(0, 100, (rows, periods, FEATURES)).astype(np.float32)
    values[generator.random(values.shape) < 0.2] = np.nan
    return values


@pytest.mark.parametrize("threads", [1, 2])
def test_one_thread_works_many_rows_off_in_parts_of_equal_size(
    bundle_dir: Path, threads: int
) -> None:
    bundle = read_bundle(bundle_dir)
    facts, periods = bundle.manifest.graphs["risk"], bundle.contract.periods.maximum
    session = open_session(bundle.risk_graph, "cpu", threads=threads)
    runner = SessionRunner(session, facts.input, facts.output)
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
