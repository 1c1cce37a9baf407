"""Answer threads that ask at the same time together, without a thread that does it for them.

Whoever comes while nobody works does the work himself, for all who have come meanwhile, and passes
it on to the first who came later. So a question that comes alone wakes nobody, and nobody works on
for others when his own answer is there.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Job(Generic[Asked, Answer]):
    """One question, and the lock that its thread waits at."""

    __slots__ = ("answers", "error", "question", "wake")

    def __init__(self, question: Asked) -> None:
        self.question = question
        self.answers: list[Answer] = []  # one, once it is there
        self.error: BaseException | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    @property
    def done(self) -> bool:
        return bool(self.answers) or self.error is not None

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.answers[0]


class Turns(Generic[Asked, Answer]):
    """Answers questions of several threads, those that wait together in one call.

    Args:
        work: Answers several questions, in order. Where it fails for several, each is asked alone,
            so that one harms no other.
        size: Of a question.
        most: Size from which on no further question joins.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Asked]], Sequence[Answer]],
        size: Callable[[Asked], int],
        most: int,
    ) -> None:
        self._work = work
        self._size = size
        self._most = most
        self._guard = threading.Lock()
        self._waiting: deque[_Job[Asked, Answer]] = deque()
        self._busy = False

    def answer(self, question: Asked) -> Answer:
        """Return the answer to a question, in its turn.

        Raises:
            Exception: What `work` raised for it.
        """
        job: _Job[Asked, Answer] = _Job(question)
        with self._guard:
            waits, self._busy = self._busy, True
            if waits:
                self._waiting.append(job)
        if waits:
            job.wake.acquire()
        if not job.done:  # it is this thread's turn to work
            self._lead(job)
        return job.result()

    def _lead(self, first: _Job[Asked, Answer]) -> None:
        jobs = [first]
        os.sched_yield()  # whoever has read a question meanwhile, but not the interpreter, joins
        with self._guard:
            taken = self._size(first.question)
            while self._waiting and taken < self._most:
                jobs.append(self._waiting.popleft())
                taken += self._size(jobs[-1].question)
        try:
            self._answer(jobs)
        finally:
            with self._guard:
                following = self._waiting.popleft() if self._waiting else None
                self._busy = following is not None
            if following is not None:
                following.wake.release()
            for job in jobs[1:]:
                job.wake.release()

    def _answer(self, jobs: Sequence[_Job[Asked, Answer]]) -> None:
        try:
            answers = self._work([job.question for job in jobs])
            for job, answer in zip(jobs, answers, strict=True):
                job.answers = [answer]
        except BaseException as error:  # noqa: BLE001 - each is told, by its own thread
            if len(jobs) == 1:
                jobs[0].error = error
                return
            for job in jobs:
                job.answers = []
                self._answer([job])
