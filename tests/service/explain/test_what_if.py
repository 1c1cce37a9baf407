"""`what-if`: futures of one student, precise refusals, and the typed way."""

import json
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from scoring.steps import finish
from service.explain.what_if import WhatIfAnswer
from service.http.problems import RequestError
from service.responder import Responder
from tests.service.asking import WEEKS, problem, score, student


def ask(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post("/what-if", json={"student": student(), **fields})


def test_futures_are_estimated_from_where_the_student_stands(http: httpx.Client) -> None:
    answer = ask(http).json()
    [assessment] = score(http, student()).json()["assessments"]
    assert (answer["id"], answer["period"]) == ("s-1", 3)
    assert answer["risk"] == assessment["risk"]
    assert answer["tier"] == assessment["tier"]
    assert answer["model"]["version"] == score(http, student()).json()["model"]["version"]
    assert [one["name"] for one in answer["futures"]] == ["as_last_three", "typical"]
    for future in answer["futures"]:
        assert [point["period"] for point in future["trajectory"]] == [4, 5]
        assert future["risk"] == future["trajectory"][-1]["risk"]
        assert future["change"] == pytest.approx(future["risk"] - answer["risk"], abs=1e-6)
    TypeAdapter(WhatIfAnswer).validate_python(answer)


def test_a_future_of_ones_own_is_what_the_service_scores_of_those_periods(
    http: httpx.Client,
) -> None:
    better = {"attendance": 90, "assignments": 80, "quiz": 80, "engagement": 8}
    plan = {"name": "plan", "changes": better}
    [future] = ask(http, futures=[plan], periods=2, recourse=False).json()["futures"]
    # Internal marks are due in period 4 alone; they go on as they did: unknown, so as typical.
    scored = score(
        http, student("s-2", [*WEEKS, *({"period": at, **better} for at in (4, 5))])
    ).json()["assessments"][0]
    assert future["label"] == "plan"
    assert future["changes"] == better
    assert future["risk"] == pytest.approx(scored["risk"], abs=0.05)


def test_values_outside_the_reference_are_named(http: httpx.Client) -> None:
    [future] = ask(http, futures=[{"changes": {"quiz": 100}}]).json()["futures"]
    [outside] = future["outside"]
    assert outside["feature"] == "quiz"
    assert outside["high"] < 100
    assert "Few students of the reference" in future["text"]


def test_the_smallest_change_goes_by_the_bound_that_is_sent(http: httpx.Client) -> None:
    risk = ask(http).json()["risk"]
    below = round(risk - 0.01, 3)
    recourse = ask(http, below=below).json()["recourse"]
    assert recourse["below"] == below
    if recourse["found"]:
        assert recourse["risk"] < below
    else:
        assert recourse["changes"] == []
    assert ask(http, recourse=False).json()["recourse"] is None


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"periods": 0}, "periods", "wrong_type"),
        ({"periods": "2"}, "periods", "wrong_type"),
        ({"below": 1}, "below", "wrong_type"),
        ({"recourse": "secret"}, "recourse", "wrong_type"),
        ({"futures": [{"preset": "secret"}]}, "futures", "wrong_type"),
        ({"futures": [{}]}, "futures", "wrong_type"),
        ({"futures": [{"preset": "typical", "changes": {}}]}, "futures", "wrong_type"),
        ({"futures": [{"changes": {"secret": 1}}]}, "futures", "unknown_feature"),
        ({"futures": [{"changes": {"quiz": 101}}]}, "futures", "out_of_range"),
        ({"futures": [{"changes": {"quiz": "secret"}}]}, "futures", "wrong_type"),
        ({"futures": [{"changes": {"quiz": True}}]}, "futures", "wrong_type"),
        ({"reference": "batch"}, "reference", "wrong_value"),
        ({"reference": "secret"}, "reference", "wrong_type"),
        ({"student": {"id": "s-1", "periods": [{"period": 1}]}}, "student", "not_enough_data"),
        (
            {"student": student(periods=[{"period": 8, "quiz": 50, "attendance": 50}])},
            "student",
            "no_period_left",
        ),
    ],
)
def test_a_wrong_field_is_named_and_what_was_sent_is_not(
    http: httpx.Client, fields: dict[str, Any], field: str, code: str
) -> None:
    response = ask(http, **fields)
    body = problem(response, 422)
    assert [(error["field"], error["code"]) for error in body["errors"]] == [(field, code)]
    assert "secret" not in response.text


def test_a_student_who_is_wrong_is_refused_like_in_score(http: httpx.Client) -> None:
    wrong = student(periods=[{"period": 1, "attendance": 200}])
    body = problem(ask(http, student=wrong), 422)
    assert [error["field"] for error in body["errors"]] == ["periods[0].attendance"]


def test_bodies_that_are_no_request_are_refused(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    assert http.post("/what-if", content=b"{", headers=headers).status_code == 400
    for content in (b"[]", b"{}", b'{"student": {}, "secret": 1}'):
        response = http.post("/what-if", content=content, headers=headers)
        problem(response, 422)
        assert "secret" not in response.text
    assert http.get("/what-if").status_code == 405
    wrong = http.post("/what-if", content=b"{}", headers={"content-type": "text/plain"})
    assert wrong.status_code == 415


def test_the_typed_way_answers_the_same(responder: Responder) -> None:
    fields = {"student": student(), "below": 0.2}
    written = json.loads(finish(responder.what_if.steps(json.dumps(fields).encode())))
    typed = responder.what_if.answer(fields)
    assert json.loads(TypeAdapter(WhatIfAnswer).dump_json(typed)) == written
    with pytest.raises(RequestError):
        responder.what_if.answer({"student": 7})


def test_an_answer_to_the_sample_is_shown_in_the_description(responder: Responder) -> None:
    assert responder.what_if.sample_answer is not None
    assert responder.what_if.seconds > 0
