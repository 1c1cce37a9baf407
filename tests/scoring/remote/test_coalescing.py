"""Threads that ask at the same time are answered together, each with its own answer."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from scoring.remote.coalescing import Turns


class Work:
    """Doubles numbers, slowly if told, and refuses negative ones."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.threads: list[int] = []
        self.at_work = 0
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Semaphore(0)

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.at_work += 1
        assert self.at_work == 1  # never two at once
        self.calls.append(list(numbers))
        self.threads.append(threading.get_ident())
        self.begun.release()
        assert self.hold.wait(30)
        self.at_work -= 1
        if min(numbers) < 0:
            raise ValueError(f"{len(numbers)}")
        return [2 * number for number in numbers]


def crowd(ask: Callable[[int], object], numbers: Sequence[int]) -> list[threading.Thread]:
    threads = [threading.Thread(target=ask, args=(number,)) for number in numbers]
    for one in threads:
        one.start()
    return threads


def joined(threads: Sequence[threading.Thread]) -> None:
    for one in threads:
        one.join(30)
        assert not one.is_alive()


def waiting(turns: Turns[int, int], number: int) -> None:
    deadline = time.monotonic() + 30
    while len(turns._waiting) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_comes_alone_works_himself() -> None:
    work = Work()
    turns = Turns(work, lambda _: 1, 8)
    assert [turns.answer(number) for number in (1, 2, 3)] == [2, 4, 6]
    assert work.calls == [[1], [2], [3]]
    assert set(work.threads) == {threading.get_ident()}


def test_what_waits_together_is_worked_on_together_up_to_the_size_that_is_asked_for() -> None:
    work = Work()
    turns = Turns(work, lambda number: number, 10)
    answers: dict[int, int] = {}
    work.hold.clear()
    threads = crowd(lambda number: answers.update({number: turns.answer(number)}), [1])
    assert work.begun.acquire(timeout=30)
    for number in (4, 5, 6, 7):
        threads += crowd(lambda number: answers.update({number: turns.answer(number)}), [number])
        waiting(turns, number - 3)
    work.hold.set()
    joined(threads)
    assert work.calls == [[1], [4, 5, 6], [7]]
    assert answers == {number: 2 * number for number in (1, 4, 5, 6, 7)}


def test_one_that_fails_harms_no_other() -> None:
    work = Work()
    turns = Turns(work, lambda _: 1, 8)
    told: dict[int, int | str] = {}

    def ask(number: int) -> None:
        try:
            told[number] = turns.answer(number)
        except ValueError as error:
            told[number] = f"failed among {error}"

    work.hold.clear()
    threads = crowd(ask, [1])
    assert work.begun.acquire(timeout=30)
    threads += crowd(ask, [2, -3, 4])
    waiting(turns, 3)
    work.hold.set()
    joined(threads)
    assert told == {1: 2, 2: 4, -3: "failed among 1", 4: 8}
    with pytest.raises(ValueError, match="1"):
        turns.answer(-1)
    assert turns.answer(5) == 10  # a failure leaves the place free


def test_many_threads_each_get_their_own_answers_and_nobody_is_forgotten() -> None:
    work = Work()
    turns = Turns(work, lambda _: 1, 4)
    wrong: list[int] = []

    def insist(seed: int) -> None:
        for step in range(300):
            number = seed * 1000 + step
            if turns.answer(number) != 2 * number:
                wrong.append(number)

    joined(crowd(insist, range(12)))
    assert wrong == []
    assert sum(map(len, work.calls)) == 12 * 300
    assert max(map(len, work.calls)) <= 4
