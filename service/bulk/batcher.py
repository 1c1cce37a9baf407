"""Work cohorts off together: slices of those that wait go through each stage side by side.

What is the same for few students and many, and what the processor has to fetch for every stage, is
so spent once for several requests of a few hundred students each.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from scoring.steps import Steps, advance
from scoring.tables.assessor import Wanted
from service.batching.batcher import Batcher
from service.bulk.pending import Cohort, Part, Piece
from service.bulk.responder import SLICE, TURN_SECONDS, BulkResponder
from service.observability.error_log import log_without_values
from service.observability.metrics import BULK

# What has become of an order in a turn: a piece of its answer, what went wrong with it, or None for
# its end.
News = Piece | BaseException | None


class Order(Protocol):
    """A request that is to be worked off.

    Attributes:
        cohort: Its slices, and its answer.
        part: The next of its slices, where it is read already.
    """

    cohort: Cohort
    part: Part | None

    @property
    def wanted(self) -> Wanted:
        """What it asks for."""
        ...

    @property
    def disconnected(self) -> bool:
        """Whether nobody waits for it any more."""
        ...

    def tell(self, news: News) -> None:
        """Take what has become of it, on the event loop; nothing follows an error or its end."""
        ...


class Together:
    """Works orders off in turns of the batcher; for one event loop.

    Args:
        responder: Reads, scores and writes.
        batcher: Gives turns.
    """

    def __init__(self, responder: BulkResponder, batcher: Batcher) -> None:
        self._responder = responder
        self._batcher = batcher
        self._orders: set[Order] = set()
        self._waiting: deque[Order] = deque()
        self._working: Steps[bool] | None = None
        self._news: list[tuple[Order, News]] = []

    def add(self, order: Order) -> None:
        """Let an order wait for its turn."""
        self._orders.add(order)
        self._waiting.append(order)
        if self._working is None:
            self._begin()

    def _begin(self) -> None:
        self._working = self._work()
        self._await_turn()

    def _await_turn(self) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        turn.add_done_callback(self._stepped)
        self._batcher.run_step(self._step, turn)

    def _step(self) -> bool:
        """Do what there is time for; return whether nothing is left to be done."""
        return self._working is None or advance(self._working, TURN_SECONDS) is not None

    def _stepped(self, turn: asyncio.Future[bool]) -> None:
        news, self._news = self._news, []
        for order, one in news:
            self._tell(order, one)
        if (error := turn.exception()) is not None:  # the service is shutting down
            self._working = None
            self._waiting.clear()
            for order in list(self._orders):
                self._tell(order, error)
        elif not turn.result():
            self._await_turn()
        elif self._waiting:  # since the step looked
            self._begin()
        else:
            self._working = None

    def _tell(self, order: Order, news: News) -> None:
        if not isinstance(news, Piece):
            self._orders.discard(order)
        try:
            order.tell(news)
        except Exception as error:  # noqa: BLE001 - the fault of one is not the others'
            log_without_values(BULK, error)

    def _work(self) -> Steps[bool]:
        while self._waiting:
            if orders := (yield from self._gather()):
                yield
                yield from self._work_off(orders)
            yield
        return True

    def _gather(self) -> Steps[list[Order]]:
        """Take orders that ask for the same, as many as make up a slice; each has its part."""
        chosen: list[Order] = []
        others: list[Order] = []
        students = 0
        while self._waiting and students < SLICE:
            order = self._waiting.popleft()
            if chosen and order.wanted != chosen[0].wanted:
                others.append(order)
                continue
            part = yield from self._next_part(order)
            yield
            if part is None:
                continue
            if chosen and students + part.students > SLICE:
                others.append(order)
                break
            students += part.students
            chosen.append(order)
        self._waiting.extendleft(reversed(others))
        return chosen

    def _next_part(self, order: Order) -> Steps[Part | None]:
        """Read the next slice; None where there is none, which is then the end of the order."""
        try:
            while not order.disconnected:
                order.part = order.part or next(order.cohort.parts)
                if order.part is not None:
                    return order.part
                yield
        except StopIteration:
            self._finish(order)
            return None
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            self._news.append((order, error))
            return None
        self._news.append((order, None))
        return None

    def _finish(self, order: Order) -> None:
        try:
            self._news.append((order, Piece(order.cohort.answer.finish())))
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            self._news.append((order, error))
        else:
            self._news.append((order, None))

    def _work_off(self, orders: Sequence[Order]) -> Steps[None]:
        taken = [(order.cohort, order.part) for order in orders if order.part is not None]
        try:
            outcomes = yield from self._responder.work(taken, orders[0].wanted)
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            if len(orders) > 1:  # each alone, so that one harms no other
                for order in orders:
                    yield from self._work_off([order])
                return
            outcomes = [error]
        for order, outcome in zip(orders, outcomes, strict=True):
            self._news.append((order, outcome))
            if isinstance(outcome, Piece):
                order.part = None
                if (yield from self._next_part(order)) is not None:
                    self._waiting.append(order)
                yield
