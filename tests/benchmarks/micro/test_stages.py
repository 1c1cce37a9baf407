"""The stages of a request are those of the service, and together they are the whole."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from benchmarks.micro.stages import measure_stages
from service.answered import Answered
from service.responder import Answers, Responder
from service.rows.decoder import ScoreRequest


def test_every_stage_takes_time_and_their_sum_is_about_the_whole(bundle_dir: Path) -> None:
    measured = measure_stages(bundle_dir, sizes=((1, 1), (3, 2), (1, 30)), seconds=0.3)
    assert [(at.requests, at.rows) for at in measured] == [(1, 1), (3, 2), (1, 30)]
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
    answered = Responder.answer

    def answer(self: Responder, requests: Sequence[ScoreRequest]) -> Answers:
        real = answered(self, requests)
        return replace(real, results=[Answered(b"{}", len(requests), 0)])

    monkeypatch.setattr(Responder, "answer", answer)
    with pytest.raises(AssertionError, match="not those of the service"):
        measure_stages(bundle_dir, sizes=((1, 1),), seconds=0.1)
