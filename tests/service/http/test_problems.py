"""Errors of BentoML and Starlette are put into the one shape without unchecked text."""

import json

import pytest

from records.errors import Fault
from service.http.problems import STUDENTS, TYPES, RequestError, stock_problem


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 415, 418, 422, 429, 500, 503, 504])
def test_every_status_has_a_problem(status: int) -> None:
    body = json.loads(stock_problem(status, b"Not Found").body())

    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["errors"] == []


def test_text_of_others_is_not_taken_over() -> None:
    for body in (b"student 12 has 3.5", b'{"error": "student 12 has 3.5"}'):
        assert b"student 12" not in stock_problem(500, body).body()


def test_faults_that_pydantic_found_keep_place_and_reason() -> None:
    stock = {
        "error": "1 validation error for Input",
        "detail": [{"loc": ["most", 0], "type": "int_type", "msg": "must be int", "url": "x"}],
    }

    [error] = stock_problem(400, json.dumps(stock).encode()).details.errors
    assert error == Fault(None, "most.0", "int_type", "must be int")


def test_a_problem_of_ours_that_bentoml_relays_is_unpacked() -> None:
    ours = RequestError(STUDENTS, "None can be scored.", [Fault(0, "id", "wrong_type", "…")])
    relayed = json.dumps([{"error": ours.body().decode()}]).encode()

    assert stock_problem(422, relayed).details == ours.details


def test_problem_codes_differ() -> None:
    assert len({kind.code for kind in TYPES}) == len(TYPES)
