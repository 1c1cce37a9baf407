"""What turns did is shown a little later by itself, and at once to who asks."""

import asyncio
import time

import msgspec
from prometheus_client import REGISTRY

from service.batching.admission import AdmissionController, CostModel
from service.batching.batcher import LONG_BYTES, ROWS, Batcher
from service.batching.jobs import PendingResponse
from service.observability.batch_metrics import BatchMetrics
from service.responder import Responder
from tests.service.asking import student

STUDENTS = 7


class Counted:
    """A batcher whose turns are counted, and what Prometheus is shown of them."""

    def __init__(self, responder: Responder) -> None:
        tiers = [tier.name for tier in responder.bundle.policy.tiers]
        self.meter = BatchMetrics(responder.bundle.contract, tiers)
        workload = AdmissionController(CostModel(), limit=1.0, turn=ROWS, slice_bytes=LONG_BYTES)
        self.batcher = Batcher(responder, workload, self.meter.observe)
        self._before = self._shown()

    async def ask(self) -> None:
        """Have students answered, one request each, all in one turn."""
        waiting = [PendingResponse() for _ in range(STUDENTS)]
        for one in waiting:
            assert self.batcher.submit(msgspec.json.encode({"students": [student()]}), one)
        for one in waiting:
            await one.answer()
        await asyncio.sleep(0)  # the batch is recorded once all are answered

    def grown(self) -> set[float]:
        """Return by how much the figures have grown, which the parts write one after the other."""
        return {now - then for now, then in zip(self._shown(), self._before, strict=True)}

    def _shown(self) -> list[float]:
        score = {"route": "/score"}
        return [
            REGISTRY.get_sample_value(name, labels) or 0.0
            for name, labels in (
                ("bellwether_request_seconds_count", score),
                ("bellwether_students_per_request_count", {}),
                ("bellwether_requests_total", score | {"status": "200"}),
                ("bellwether_students_total", {"outcome": "assessed"}),
            )
        ]


def test_figures_are_written_by_themselves_soon_and_once(responder: Responder) -> None:
    async def run() -> tuple[set[float], set[float]]:
        counted = Counted(responder)
        await counted.ask()
        at_first = counted.grown()
        give_up = time.monotonic() + 5
        while counted.grown() != {STUDENTS} and time.monotonic() < give_up:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.15)
        return at_first, counted.grown()

    assert asyncio.run(run()) == ({0}, {STUDENTS})


def test_who_asks_sees_everything_even_while_it_is_being_written(responder: Responder) -> None:
    async def run() -> tuple[set[float], set[float]]:
        counted = Counted(responder)
        await counted.ask()
        give_up = time.monotonic() + 5
        while counted.grown() == {0} and time.monotonic() < give_up:
            await asyncio.sleep(0)
        partly = counted.grown()
        await counted.ask()
        counted.meter.write()
        return partly, counted.grown()

    partly, whole = asyncio.run(run())
    assert partly == {0, STUDENTS}
    assert whole == {2 * STUDENTS}
