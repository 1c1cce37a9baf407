"""The comparison is fair: same students, equal answers, medians over rounds."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk import PARTS
from benchmarks.cores import Cores
from benchmarks.peers.__main__ import cohort_table
from benchmarks.peers.contenders import BELLWETHER, FOLDER, PEERS, Contender
from benchmarks.peers.environments import PeerError
from benchmarks.peers.rounds import (
    AGREEMENT,
    COHORTS,
    Course,
    Measurement,
    answers,
    check_agreement,
    make_payloads,
    medians,
)
from scoring.bundle.reader import read_bundle
from scoring.runtime.scorer import Scorer
from scoring.students.intake import Intake


def measurement(number: int, requests: float, p99: float = 1.0) -> Measurement:
    return Measurement(
        round=number,
        contender="one",
        scenario="load",
        students=requests * 2,
        requests=requests,
        other=0.0,
        p50=1.0,
        p99=p99,
        memory=100.0,
        client=0.5,
    )


def numbers_in(contender: Contender, body: bytes, intake: Intake) -> np.ndarray:
    """Return the values that a body carries, flat."""
    request = json.loads(body)
    if contender is BELLWETHER:
        return intake.read(request["students"]).values.reshape(-1)
    carried = request.get("values") or request["inputs"][0]["data"]
    return np.array(carried, np.float32).reshape(-1)


def test_every_contender_is_sent_the_same_students(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    intake = Intake(bundle.contract)
    expected = make_payloads(bundle, BELLWETHER, [1, 3]).bodies
    for contender in PEERS:
        bodies = make_payloads(bundle, contender, [1, 3]).bodies
        for size in (1, 3):
            for ours, theirs in zip(expected[size], bodies[size], strict=True):
                np.testing.assert_array_equal(
                    numbers_in(contender, theirs, intake), numbers_in(BELLWETHER, ours, intake)
                )


def test_bellwether_is_sent_the_same_cohorts_in_its_own_formats(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    payloads = make_payloads(bundle, BELLWETHER, [1, COHORTS.students])
    rows = [json.loads(body)["students"] for body in payloads.bodies[COHORTS.students]]
    assert len(payloads.cohorts) == 2 * len(PARTS)
    for title, sent in payloads.cohorts.items():
        assert len(sent) == len(rows)
        if "columnar" in title:
            columns = [json.loads(one.body) for one in sent]
            assert [it["id"] for it in columns] == [[one["id"] for one in drawn] for drawn in rows]


def test_how_many_times_the_peers_cohorts_are_answered_is_told_of_every_format() -> None:
    peer = PEERS[0].title
    entries = {
        name: replace(measurement(1, requests), contender=name, scenario=COHORTS.title)
        for name, requests in ((peer, 100), (BELLWETHER.title, 50), ("by columns", 150))
    }
    table = cohort_table({(COHORTS.title, name): one for name, one in entries.items()})
    cells = [list(column.cells) for column in table.columns]
    assert cells == [[BELLWETHER.title, "by columns"], ["100", "300"], ["0.50", "1.50"]]


def test_answers_of_the_real_service_are_the_scorers(bundle_dir: Path, tmp_path: Path) -> None:
    bundle = read_bundle(bundle_dir)
    payloads = make_payloads(bundle, BELLWETHER, [2])
    students = [s for body in payloads.bodies[2] for s in json.loads(body)["students"]]
    admitted = Intake(bundle.contract).read(students)
    expected = Scorer(bundle).score(admitted.values, admitted.lengths).risk[:, -1]
    course = Course(bundle, seconds=1.0, cores=Cores(None, None), logs=tmp_path)
    with course.started(BELLWETHER) as server:
        risks = answers(server, BELLWETHER, payloads)
    assert check_agreement("Bellwether", risks, expected.astype(float)) <= AGREEMENT


def test_answers_that_differ_or_are_missing_exclude_a_peer() -> None:
    expected = np.array([0.2, 0.4])
    assert check_agreement("peer", expected + AGREEMENT / 2, expected) < AGREEMENT
    for wrong in (expected + 2 * AGREEMENT, expected[:1], np.array([0.2, math.nan])):
        with pytest.raises(PeerError, match="peer"):
            check_agreement("peer", wrong, expected)


def test_one_lucky_round_does_not_win() -> None:
    rounds = [measurement(1, 100), measurement(2, 900), measurement(3, 110)]
    typical = medians(rounds)["load", "one"]
    assert (typical.requests, typical.students, typical.round) == (110, 220, 3)


def test_a_round_without_an_answer_has_no_say_in_the_latency() -> None:
    rounds = [measurement(1, 10, p99=5.0), measurement(2, 0, p99=math.nan)]
    assert medians(rounds)["load", "one"].p99 == 5.0
    assert math.isnan(medians(rounds[1:])["load", "one"].p99)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_every_peer_has_a_start_and_hash_locked_requirements(peer: Contender) -> None:
    folder = FOLDER / peer.key
    assert (folder / "start.py").is_file()
    locked = (folder / "requirements.txt").read_text(encoding="utf-8")
    wanted = [line for line in locked.splitlines() if line and not line.startswith((" ", "#"))]
    hashed = [line for line in wanted if line.endswith("\\")]
    assert len(hashed) == len(wanted) > 3
    assert "://" not in locked


def test_no_folder_of_a_peer_is_forgotten() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/requirements.in")}
    assert folders == {peer.key for peer in PEERS}
