"""Several requests answered in one pass: each gets its own, and nothing of another."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.load import load_cohort
from scoring.runtime.providers import Provider
from scoring.students.writing import students_of
from service.answered import Answered
from service.http.problems import RequestError
from service.responder import Answers, Responder
from service.settings import Settings
from tests.service.asking import student

STUDENTS = students_of(load_cohort("simulated", students=40, seed=5))
unhurried = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def body(students: Sequence[Any], **options: Any) -> bytes:
    return json.dumps({"students": list(students), **options}).encode()


def together(responder: Responder, bodies: Sequence[bytes]) -> Answers:
    return responder.answer([responder.read(one) for one in bodies])


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the last digit that company may change."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=2e-3)
    return bool(one == other)


@st.composite
def requests(draw: st.DrawFn) -> list[bytes]:
    """A cohort divided into requests at random, with options of their own and faults between."""
    order = draw(st.permutations(range(len(STUDENTS))))
    cuts = sorted(draw(st.lists(st.integers(1, len(order) - 1), max_size=8, unique=True)))
    bodies = []
    for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        chosen: list[Any] = [STUDENTS[at] for at in order[start:end]]
        for at in draw(st.lists(st.integers(0, len(chosen)), max_size=2)):
            chosen.insert(at, {"id": f"faulty-{start}", "periods": 7})
        options = {
            name: draw(st.booleans())
            for name in ("recommendations", "forecast")
            if draw(st.booleans())
        }
        bodies.append(body(chosen, **options))
    return bodies


@unhurried
@given(requests())
def test_requests_get_together_what_they_get_alone(
    responder: Responder, bodies: list[bytes]
) -> None:
    answers = together(responder, bodies)

    assert len(answers.results) == len(bodies)
    for sent, result in zip(bodies, answers.results, strict=True):
        assert isinstance(result, Answered)
        alone = responder.score(sent)
        assert (result.assessed, result.refused) == (alone.assessed, alone.refused)
        told, asked = json.loads(result.body), json.loads(sent)
        assert alike(told, json.loads(alone.body))
        rows = [one["row"] for one in told["assessments"]]
        assert [asked["students"][row]["id"] for row in rows] == [
            one["id"] for one in told["assessments"]
        ]
        assert {error["row"] for error in told["errors"]} == {*range(len(asked["students"]))} - {
            *rows
        }
        for one in told["assessments"]:
            assert asked.get("forecast", True) or one["forecast"] == []
            assert asked.get("recommendations", True) or one["recommendations"] == []


@unhurried
@given(requests())
def test_the_counts_are_those_of_the_answers(responder: Responder, bodies: list[bytes]) -> None:
    answers = together(responder, bodies)

    said = [one for each in answers.bodies for one in msgspec.json.decode(each)["assessments"]]
    assert sum(answers.executions) == len(said)
    for name, count in answers.statuses.items():
        assert count == sum(one["status"] == name for one in said)
    for name, count in answers.tiers.items():
        assert count == sum(one["tier"] == name for one in said)
    assert sum(answers.statuses.values()) == len(said)
    assert min(answers.stages.compute, answers.stages.policy, answers.stages.encode) > 0


def test_a_request_without_a_sound_student_is_refused_in_its_place(responder: Responder) -> None:
    sound, bad = body([student()]), body([{"id": "s-2", "periods": []}, 3])
    answers = together(responder, [bad, sound, bad])

    first, second, third = answers.results
    assert isinstance(first, RequestError)
    assert isinstance(third, RequestError)
    assert isinstance(second, Answered)
    assert json.loads(second.body) == json.loads(responder.score(sound).body)
    assert [error.row for error in first.details.errors] == [0, 1]
    assert answers.bodies == [first.body(), second.body, third.body()]
    with pytest.raises(RequestError, match="None of the students"):
        responder.score(bad)


def test_nothing_to_answer_is_no_fault(responder: Responder) -> None:
    bad = together(responder, [body([3])])
    assert (bad.executions, bad.outliers.size, sum(bad.statuses.values())) == ((), 0, 0)
    assert responder.answer([]).results == []


def test_without_a_forecast_the_rest_stays_as_it_is(responder: Responder) -> None:
    whole = json.loads(responder.score(body(STUDENTS)).body)
    without = json.loads(responder.score(body(STUDENTS, forecast=False)).body)
    assert any(one["forecast"] for one in whole["assessments"])
    for one in whole["assessments"]:
        one["forecast"] = []
    assert without == whole
    [said] = responder.score_students([student()], True, False).assessments
    assert said.forecast == ()


def test_what_was_configured_of_the_provider_shows_in_model(bundle_dir: Path) -> None:
    shown = json.loads(Responder(bundle_dir, Settings(provider=Provider.CPU, threads=1)).model)
    assert shown["provider"]["active"] == "CPUExecutionProvider"
    assert shown["provider"]["threads"] == 1
    assert shown["provider"]["options"] == {}
