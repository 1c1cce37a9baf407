"""Bodies are read in one pass, and read again only to say what is wrong with them."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.contract import load_contract
from scoring.students.faults import FAULTS_PER_ROW, field_name
from scoring.students.intake import Intake
from service.http.problems import RequestError
from service.rows import decoder as request
from service.rows.decoder import RequestReader, ScoreRequest, parse_json
from tests.service.asking import student

CONTRACT = load_contract("simulated")
READER = RequestReader(Intake(CONTRACT), max_students=3)

_VALUES = st.one_of(st.none(), st.integers(0, 10), st.floats(0, 10))
_PERIOD = st.dictionaries(st.sampled_from(CONTRACT.feature_names), _VALUES)
_STUDENT = st.builds(
    lambda name, periods: {
        "id": name,
        "periods": [{"period": at, **values} for at, values in enumerate(periods, start=1)],
    },
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
    st.lists(_PERIOD, min_size=1, max_size=CONTRACT.periods.maximum),
)


def same(left: ScoreRequest, right: ScoreRequest) -> None:
    np.testing.assert_array_equal(left.students.values, right.students.values)
    np.testing.assert_array_equal(left.students.lengths, right.students.lengths)
    np.testing.assert_array_equal(left.students.rows, right.students.rows)
    assert left.students.ids == right.students.ids
    assert left.students.faults == right.students.faults
    assert left.recommendations == right.recommendations


@settings(max_examples=100, deadline=None)
@given(st.lists(_STUDENT, min_size=1, max_size=3), st.booleans())
def test_the_fast_and_the_tolerant_reading_agree(students: list[Any], wanted: bool) -> None:
    body = json.dumps({"students": students, "recommendations": wanted}).encode()

    same(READER.read(body), READER._read_tolerantly(body))
    same(READER.read(body), READER.admit(students, wanted))


def test_a_period_written_with_a_point_is_a_period() -> None:
    body = json.dumps({"students": [student()]}).encode()
    pointed = body.replace(b'"period": 1,', b'"period": 1.0,')
    assert pointed != body
    same(READER.read(pointed), READER.read(body))


def test_a_student_that_comes_twice_is_refused_once_however_the_body_is_read() -> None:
    one, other = student(), {**student(), "id": f"{student()['id']} "}
    for students in ([one, other], [one, other, 7]):
        read = READER.read(json.dumps({"students": students}).encode())
        assert read.students.ids == [one["id"]]
        assert read.students.faults[0].code == "duplicate_id"


def test_recommendations_are_wanted_unless_told() -> None:
    assert READER.read(json.dumps({"students": [student()]}).encode()).recommendations
    assert READER.read(json.dumps({"students": [student(), 7]}).encode()).recommendations


def test_the_number_of_students_is_limited_on_both_ways() -> None:
    for students in ([student()] * 4, [7] * 4):
        with pytest.raises(RequestError, match="holds 4; one request takes 3"):
            READER.read(json.dumps({"students": students}).encode())


def test_python_objects_are_refused_like_json() -> None:
    for students, wanted, code in (
        ({"id": "s"}, True, "wrong_type"),
        ([], True, "empty_list"),
        ([student()], 1, "wrong_type"),
    ):
        with pytest.raises(RequestError) as refused:
            READER.admit(students, wanted)
        assert refused.value.details.errors[0].code == code


def test_huge_whole_numbers_become_infinite() -> None:
    assert parse_json(b"[-" + b"9" * 5000 + b"]") == [-float("inf")]
    assert parse_json(b"[" + b"9" * 30 + b"]") == [int("9" * 30)]


def test_thousands_of_unknown_fields_cost_no_more_than_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking for the name that was meant is slow: over 400,000 names it took ten seconds."""
    looked_for: list[object] = []

    def look(key: object) -> str:
        looked_for.append(key)
        return field_name(key)

    monkeypatch.setattr(request, "field_name", look)
    with pytest.raises(RequestError) as refused:
        READER.read(json.dumps({f"k{number}": 1 for number in range(5000)}).encode())

    assert len(refused.value.details.errors) == len(looked_for) == FAULTS_PER_ROW
