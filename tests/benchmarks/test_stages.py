"""The stages of a request are those of the service, and together they are the whole."""

from dataclasses import astuple
from pathlib import Path

import msgspec
import pytest

from benchmarks.stages import measure_stages
from service.answer import Answered, Responder


def test_every_stage_takes_time_and_their_sum_is_about_the_whole(bundle_dir: Path) -> None:
    measured = measure_stages(bundle_dir, sizes=(1, 30), seconds=0.3)
    assert [at.rows for at in measured] == [1, 30]
    for at in measured:
        *parts, whole, graphs = astuple(at.stages)
        assert min(*parts, graphs) > 0
        # Generous: on a busy machine a median of few rounds is only so good.
        assert whole / 2 < sum(parts) < 2 * whole
        assert at.stages.compute < whole
        assert 0 <= at.advised <= 1


def test_stages_that_are_no_longer_those_of_the_service_are_not_measured(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Responder.score

    def score(self: Responder, body: bytes) -> Answered:
        real = answered(self, body)
        return Answered(msgspec.json.encode({"new": real.assessed}), real.assessed, real.refused)

    monkeypatch.setattr(Responder, "score", score)
    with pytest.raises(AssertionError, match="not those of the service"):
        measure_stages(bundle_dir, sizes=(1,), seconds=0.1)
