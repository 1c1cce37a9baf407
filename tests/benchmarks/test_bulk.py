"""The bulk benchmark measures what it says: the same students by every format."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bulk import in_process, messages, over_http
from benchmarks.server import bellwether, running
from records.errors import BellwetherError
from scoring.bundle.reader import read_bundle
from scoring.tables.assessor import Wanted

KINDS = ["row JSON", "columnar JSON", "Arrow"]


def test_every_kind_of_request_is_timed_beside_the_ceiling(bundle_dir: Path) -> None:
    speeds = in_process(bundle_dir, 40, Wanted(), seconds=0.2)

    assert [one.name for one in speeds] == ["risk graph alone", *KINDS]
    assert speeds[0].ceiling == 1.0
    for one in speeds[1:]:
        assert 0 < one.ceiling < 1
        assert one.rate == pytest.approx(40 / one.seconds)


def test_the_requests_hold_the_same_students(bundle_dir: Path) -> None:
    sent = messages(read_bundle(bundle_dir).contract, 5, Wanted(forecast=False))
    assert [one.name for one in sent] == KINDS
    assert sent[1].path == "/score/bulk?recommendations=true&forecast=false"
    for name in ("load-1", "load-5"):
        assert all(name.encode() in one.body for one in sent)


def test_every_kind_of_request_is_answered_over_http(bundle_dir: Path, tmp_path: Path) -> None:
    sent = messages(read_bundle(bundle_dir).contract, 12, Wanted(forecast=False))
    broken = replace(sent[2], body=sent[2].body[:-100])
    with running(bellwether(bundle_dir), log=tmp_path / "log") as server:
        speeds = over_http(server.port, sent, 12, seconds=1, core=None)
        with pytest.raises(BellwetherError, match="Arrow"):
            over_http(server.port, [broken], 12, seconds=1, core=None)

    assert [one.name for one in speeds] == KINDS
    assert all(one.rate > 0 and math.isnan(one.ceiling) for one in speeds)
