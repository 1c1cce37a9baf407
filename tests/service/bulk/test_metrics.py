"""Cohorts are counted as single students are."""

import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from prometheus_client.parser import text_string_to_metric_families

from records.load import load_cohort
from scoring.students.writing import students_of
from service.responder import Responder
from tests.scoring.arrow_tables import as_table

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]
BAD = {"id": "bad", "periods": [{"period": 1, "quiz": 130.0}]}
STRANGE = {"id": "strange", "periods": [{"period": 1, "quiz": 0.0, "engagement": 0.0}]}
SAME = (
    *("bellwether_students_total", "bellwether_tiers_total", "bellwether_statuses_total"),
    *("bellwether_feature_values_total", "bellwether_execution_rows_sum"),
)


def figures(http: httpx.Client) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
        if sample.name.startswith("bellwether_")
    }


def grown(http: httpx.Client, ask: Callable[[], httpx.Response]) -> tuple[Figures, httpx.Response]:
    """What asking added to the figures, and the answer."""
    before = figures(http)
    answer = ask()
    after = figures(http)
    added = {key: value - before.get(key, 0.0) for key, value in after.items()}
    return {key: value for key, value in added.items() if value}, answer


@pytest.fixture(scope="module")
def students() -> list[dict[str, Any]]:
    drawn = students_of(load_cohort("simulated", students=60, seed=8).at(5))
    return [*drawn[:7], BAD, STRANGE, *drawn[7:]]


def only(found: Figures, *names: str) -> Figures:
    return {key: value for key, value in found.items() if key[0] in names}


def test_the_same_students_are_counted_alike_however_they_come(
    http: httpx.Client, students: list[dict[str, Any]], responder: Responder
) -> None:
    table = as_table(responder.bundle.contract, students)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    text = io.BytesIO()
    pa_csv.write_csv(table, text)

    by_rows, _ = grown(http, lambda: http.post("/score", json={"students": students}))
    assert len({name for name, _ in only(by_rows, *SAME)}) == len(SAME)
    for body, kind in (
        (sink.getvalue(), "application/vnd.apache.arrow.stream"),
        (text.getvalue(), "text/csv"),
    ):
        added, answer = grown(
            http,
            lambda body=body, kind=kind: http.post(  # type: ignore[misc]
                "/score/bulk", content=body, headers={"content-type": kind}
            ),
        )
        assert answer.status_code == 200
        assert only(added, *SAME) == only(by_rows, *SAME)
        # By route, and beside what all routes share.
        labels = (("route", "/score/bulk"), ("status", "200"))
        assert added["bellwether_requests_total", labels] == 1
        assert added["bellwether_request_seconds_count", labels[:1]] == 1
        assert added["bellwether_students_per_request_sum", ()] == len(students)
        assert added["bellwether_queue_seconds_count", ()] == 1
        stages = {dict(key[1])["stage"] for key in only(added, "bellwether_stage_seconds_total")}
        assert stages == {"decode", "compute", "policy", "encode"}


def test_tiers_are_those_of_the_answer(
    http: httpx.Client, students: list[dict[str, Any]], responder: Responder
) -> None:
    names = responder.bundle.contract.feature_names
    rows = [period for one in students for period in one["periods"]]
    columns = {
        "id": [one["id"] for one in students],
        "lengths": [len(one["periods"]) for one in students],
        "period": [row["period"] for row in rows],
        "features": {name: [row.get(name) for row in rows] for name in names},
    }
    added, answer = grown(
        http, lambda: http.post("/score/bulk?forecast=false", content=json.dumps(columns))
    )
    told = Counter(tier for tier in answer.json()["tier"] if tier)
    counted = {
        dict(labels)["tier"]: number
        for (_, labels), number in only(added, "bellwether_tiers_total").items()
    }
    assert counted == dict(told)


@pytest.mark.parametrize(
    ("body", "head", "status", "reason"),
    [
        (b"id,period\na,1\nb,1\na,2\n", {"content-type": "text/csv"}, "422", "invalid-request"),
        (b"id,peri", {"content-type": "text/html"}, "415", "unsupported-media-type"),
        (b"x", {"content-type": "application/vnd.apache.parquet"}, "415", "unsupported-media-type"),
    ],
)
def test_refusals_are_counted_by_reason(
    http: httpx.Client, body: bytes, head: dict[str, str], status: str, reason: str
) -> None:
    added, _ = grown(http, lambda: http.post("/score/bulk", content=body, headers=head))
    assert added["bellwether_refusals_total", (("reason", reason),)] == 1
    labels = (("route", "/score/bulk"), ("status", status))
    assert added["bellwether_requests_total", labels] == 1
