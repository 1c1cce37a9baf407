"""`score` with reasons: the same assessments, and what counts towards them."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import TypeAdapter

from explain.logits import logit
from explain.reasons.types import Reasons
from records.load import load_cohort
from scoring.students.writing import students_of
from service.explain.reasons import Explaining
from service.responder import Responder
from service.rows.decoder import MOST_STUDENTS
from tests.service.asking import problem, score, student

STUDENTS = students_of(load_cohort("simulated", students=12, seed=5))
UNKNOWN = {"id": "unknown", "periods": [{"period": 1}]}
READ = TypeAdapter(Reasons)


def asked(responder: Responder, *students: Any, **options: Any) -> dict[str, Any]:
    body = json.dumps({"students": list(students), **options}).encode()
    answer: dict[str, Any] = json.loads(responder.score(body).body)
    return answer


def test_reasons_come_with_each_assessment_and_change_nothing_else(responder: Responder) -> None:
    plain = asked(responder, *STUDENTS, UNKNOWN, {"id": "wrong", "periods": 7})
    explained = asked(responder, *STUDENTS, UNKNOWN, {"id": "wrong", "periods": 7}, reasons=True)
    reasons = [assessment.pop("reasons") for assessment in explained["assessments"]]
    assert {assessment.pop("estimates") for assessment in explained["assessments"]} == {None}
    assert explained == plain
    assert [one is None for one in reasons] == [
        assessment["risk"] is None for assessment in plain["assessments"]
    ]
    assert reasons[-1] is None
    for one, assessment in zip(reasons[:-1], plain["assessments"], strict=False):
        read = READ.validate_python(one)
        assert read.risk == pytest.approx(assessment["risk"], abs=1e-5)
        total = sum(group.effect for group in read.groups) + read.rest
        difference = logit(read.risk) - logit(read.compared_with.risk)
        assert total == pytest.approx(read.total, abs=1e-5)
        assert total == pytest.approx(float(difference), abs=2e-3)  # of rounded risks
        assert [point["risk"] for point in assessment["trajectory"]] == [
            step.risk for step in read.when.steps
        ]


def test_a_view_is_named_or_true(responder: Responder) -> None:
    for view, expected in ((True, "level"), ("level", "level"), ("change", "change")):
        [assessment] = asked(responder, STUDENTS[0], reasons=view)["assessments"]
        assert assessment["reasons"]["view"] == expected
    [assessment] = asked(responder, STUDENTS[0], reasons=False)["assessments"]
    assert "reasons" not in assessment


def test_requests_with_and_without_reasons_are_answered_together(responder: Responder) -> None:
    bodies = [
        json.dumps({"students": [one], **options}).encode()
        for one, options in zip(STUDENTS, [{}, {"reasons": True}, {}], strict=False)
    ]
    answers = responder.answer([responder.read(body) for body in bodies])
    assert [isinstance(one, Explaining) for one in answers.results] == [False, True, False]
    found = [json.loads(body)["assessments"][0] for body in answers.bodies]
    assert ["reasons" in one for one in found] == [False, True, False]
    assert [one["id"] for one in found] == [one["id"] for one in STUDENTS[:3]]


def test_the_typed_way_gives_the_same_reasons(responder: Responder) -> None:
    answer = responder.score_students(STUDENTS[:3], reasons="change")
    written = json.loads(TypeAdapter(type(answer)).dump_json(answer))
    expected = asked(responder, *STUDENTS[:3], reasons="change")
    for one, other in zip(written["assessments"], expected["assessments"], strict=True):
        assert [group["text"] for group in one["reasons"]["groups"]] == [
            group["text"] for group in other["reasons"]["groups"]
        ]
        effects = [group["effect"] for group in one["reasons"]["groups"]]
        assert effects == pytest.approx(
            [group["effect"] for group in other["reasons"]["groups"]], abs=1e-5
        )


@pytest.mark.parametrize("reasons", [1, "why", None, []])
def test_an_unknown_view_is_refused_with_the_field(http: httpx.Client, reasons: object) -> None:
    body = problem(score(http, student(), reasons=reasons), 422)
    assert [(error["field"], error["code"]) for error in body["errors"]] == [
        ("reasons", "wrong_type")
    ]


def test_reasons_of_very_many_students_at_once_are_refused(http: httpx.Client) -> None:
    many = [student(f"s-{at}") for at in range(MOST_STUDENTS + 1)]
    body = problem(score(http, *many, reasons=True), 422)
    assert body["errors"][0]["code"] == "too_many_students"
    assert score(http, *many).status_code == 200


def test_reasons_are_served_beside_plain_scores(http: httpx.Client) -> None:
    plain = score(http, student()).json()["assessments"][0]
    [explained] = score(http, student(), reasons=True).json()["assessments"]
    groups = explained.pop("reasons")["groups"]
    assert explained.pop("estimates") is None
    assert explained == plain
    assert groups
    assert groups[0]["text"].startswith("Counts ")
    # A long request, too: more bytes than are answered between two others.
    many = [student(f"s-{at}") for at in range(60)]
    answer = score(http, *(one | {"id": f"{one['id']}-{'x' * 600}"[:128]} for one in many))
    assert answer.status_code == 200
    padded = [dict(one, periods=STUDENTS[0]["periods"]) for one in many]
    assert len(json.dumps(padded)) > 32 * 1024
    answers = score(http, *padded, reasons=True).json()["assessments"]
    assert [one["id"] for one in answers] == [one["id"] for one in padded]
    assert all(one["reasons"] is not None for one in answers)


def test_what_is_recorded_can_be_computed_again(responder: Responder) -> None:
    first, second = (asked(responder, *STUDENTS, reasons=True)["assessments"] for _ in range(2))
    effects = [
        [group["effect"] for one in found for group in one["reasons"]["groups"]]
        for found in (first, second)
    ]
    np.testing.assert_allclose(effects[0], effects[1], atol=1e-5)


def test_estimates_are_given_of_the_recommendations(responder: Responder) -> None:
    weak = [
        {"period": at, "attendance": 30, "assignments": 20, "quiz": 15, "engagement": 1}
        for at in (1, 2, 3)
    ]
    [found] = asked(responder, student(periods=weak), estimates=True)["assessments"]
    assert found["reasons"] is None
    rules = {one["rule"] for one in found["recommendations"]}
    assert found["estimates"]
    assert {one["rule"] for one in found["estimates"]} <= rules
    changes = [one["change"] for one in found["estimates"]]
    assert changes == sorted(changes)
    typed = responder.score_students([student(periods=weak)], estimates=True)
    [written] = json.loads(TypeAdapter(type(typed)).dump_json(typed))["assessments"]
    assert written["estimates"] == found["estimates"]


def test_estimates_are_asked_for_by_true_or_false(http: httpx.Client) -> None:
    body = problem(score(http, student(), estimates="yes"), 422)
    assert body["errors"][0]["field"] == "estimates"
    many = [student(f"s-{at}") for at in range(MOST_STUDENTS + 1)]
    body = problem(score(http, *many, estimates=True), 422)
    assert body["errors"][0]["field"] == "estimates"
