"""Workers see how many connections the others have; neither the dead nor the mute count."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.transport import connection_share as shares
from service.transport.connection_share import ConnectionShare, prepare
from tests.conftest import REPOSITORY
from tests.service.conftest import SHARES

# Another worker: reports as many connections as it is given, and again for each line.
OTHER = """
import sys
from service.transport.connection_share import share_of_this_worker
share = share_of_this_worker()
share.start()
for line in sys.stdin:
    share.add(int(line) - share.count)
    print("told", flush=True)
"""


class Other:
    """A worker in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, connections: int) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{connections}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "told\n"

    def die(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def another(page: int) -> Iterator[Other]:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER],
        cwd=REPOSITORY,
        pass_fds=[page],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Other(process)
        finally:
            process.kill()


def claim(page: int) -> ConnectionShare:
    share = ConnectionShare.claim(page)
    assert share is not None
    share.start()
    return share


def test_who_has_clearly_more_than_the_mean_takes_no_more_and_parts_with_the_surplus(
    page: int,
) -> None:
    share = claim(page)
    share.add(40)
    assert share.may_accept()  # no other worker is there
    with another(page) as other:
        other.tell(0)
        assert not share.may_accept()
        share.rebalance()
        assert share.surplus == 20
        other.tell(34)
        assert share.may_accept()  # the mean is 37
        share.rebalance()
        assert not share.surplus
    # A few more than the mean are not given away.
    with another(page) as other:
        other.tell(27)
        assert not share.may_accept()
        share.rebalance()
        assert not share.surplus


def test_the_dead_are_not_waited_for_and_their_place_is_taken_again(page: int) -> None:
    share = claim(page)
    share.add(40)
    for _ in range(9):  # there are places for four
        with another(page) as other:
            other.tell(0)
            share.await_others(now=0.0)
            assert not share.may_accept()
            other.die()
            share.await_others(now=0.0)
            assert share.may_accept()


def test_who_says_nothing_for_a_second_is_set_aside_until_it_tells(page: int) -> None:
    share = claim(page)
    share.add(40)
    with another(page) as other:
        other.tell(0)
        for now, told in ((0.0, False), (0.9, True), (1.8, False)):
            share.await_others(now)
            assert not share.may_accept()
            if told:
                other.tell(0)
        share.await_others(2.9)
        assert share.may_accept()
        other.tell(0)
        assert not share.may_accept()

        # Nothing waited meanwhile: its silence begins with the next that does.
        share.await_others(3.0)
        share.forget_waiting()
        share.await_others(9.0)
        assert not share.may_accept()


def test_who_leaves_counts_no_more(page: int) -> None:
    share = claim(page)
    share.add(1)
    share.leave()
    share.add(40)
    with another(page) as other:
        other.tell(2)
        assert not share.may_accept()
        share.start()
        share.leave()
        assert [count for count in share._counts if count >= 0] == [2]


def test_a_worker_alone_shares_nothing_and_a_foreign_variable_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for foreign in ("0", "-3", "9999", "words"):
        monkeypatch.setenv(SHARES, foreign)
        assert shares.share_of_this_worker.__wrapped__() is None
        prepare(1)
        assert SHARES not in os.environ
