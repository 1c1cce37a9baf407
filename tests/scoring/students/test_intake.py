"""Students by feature name become arrays, and a faulty one excludes only itself."""

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.contract import load_contract
from scoring.students.intake import THOROUGH_FAULTS, Intake, LazyStudent, StudentBatch
from scoring.students.writing import students_of
from tests.scoring.mixed import INTAKE, MIXED

WEEK = {"period": 1, "clicks": 3, "balance": -2.5, "region": "south", "effort": "high"}


def student(*periods: Any, name: str = "s-1") -> dict[str, Any]:
    return {"id": name, "periods": list(periods)}


def faults_of(row: Any) -> list[tuple[str | None, str]]:
    admission = INTAKE.read([row])
    assert not admission.rows.size
    return [(fault.field, fault.code) for fault in admission.faults]


def test_values_stand_at_their_period_and_feature() -> None:
    admission = INTAKE.read([student({**WEEK, "enrolled": True}, {"period": 3, "clicks": 7})])

    expected = np.full((1, 4, 5), np.nan, np.float32)
    expected[0, 0] = [3, -2.5, 1, 2, 1]
    expected[0, 2, 0] = 7
    np.testing.assert_array_equal(admission.values, expected)
    assert admission.values.dtype == np.float32
    assert admission.lengths.tolist() == [3]
    assert admission.lengths.dtype == np.int32
    assert admission.ids == ["s-1"]
    assert admission.faults == []


def test_null_and_absent_both_mean_missing() -> None:
    absent = INTAKE.read([student({"period": 1})])
    null = INTAKE.read([student({"period": 1, **dict.fromkeys(MIXED.feature_names)})])

    assert np.isnan(absent.values).all()
    assert np.isnan(null.values).all()
    assert absent.lengths.tolist() == null.lengths.tolist() == [1]


def test_a_missing_last_period_still_counts_towards_the_length() -> None:
    assert INTAKE.read([student(WEEK, {"period": 4})]).lengths.tolist() == [4]


def test_no_students_make_empty_arrays() -> None:
    admission = INTAKE.read([])

    assert admission.values.shape == (0, 4, 5)
    assert admission.lengths.shape == admission.rows.shape == (0,)


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"cliks": 3}, "periods[0].cliks", "unknown_field"),
        ({"clicks": "3"}, "periods[0].clicks", "wrong_type"),
        ({"clicks": True}, "periods[0].clicks", "wrong_type"),
        ({"clicks": [3]}, "periods[0].clicks", "wrong_type"),
        ({"clicks": -1}, "periods[0].clicks", "out_of_range"),
        ({"clicks": math.nan}, "periods[0].clicks", "not_finite"),
        ({"balance": -math.inf}, "periods[0].balance", "not_finite"),
        ({"balance": 10**400}, "periods[0].balance", "out_of_range"),
        ({"balance": 1e39}, "periods[0].balance", "out_of_range"),
        ({"region": "east"}, "periods[0].region", "unknown_level"),
        ({"region": 42}, "periods[0].region", "wrong_type"),
        ({"region": "\ud800"}, "periods[0].region", "unknown_level"),
        ({"clicks": "\ud800"}, "periods[0].clicks", "wrong_type"),
        ({"\ud800": 1}, "periods[0].\\ud800", "unknown_field"),
        ({"effort": 1}, "periods[0].effort", "wrong_type"),
        ({"enrolled": 1}, "periods[0].enrolled", "wrong_type"),
        ({"enrolled": "true"}, "periods[0].enrolled", "wrong_type"),
        ({"period": 0}, "periods[0].period", "out_of_range"),
        ({"period": 5}, "periods[0].period", "out_of_range"),
        ({"period": 10**30}, "periods[0].period", "out_of_range"),
        ({"period": 1.5}, "periods[0].period", "wrong_type"),
        ({"period": True}, "periods[0].period", "wrong_type"),
        ({"period": None}, "periods[0].period", "wrong_type"),
    ],
)
def test_a_fault_in_a_period_is_named_with_its_field(
    change: dict[str, Any], field: str, code: str
) -> None:
    assert faults_of(student(WEEK | change)) == [(field, code)]


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ("s-1", None, "wrong_type"),
        (None, None, "wrong_type"),
        ({"periods": [WEEK]}, "id", "missing_field"),
        ({"id": 7, "periods": [WEEK]}, "id", "wrong_type"),
        ({"id": "", "periods": [WEEK]}, "id", "out_of_range"),
        ({"id": "x" * 129, "periods": [WEEK]}, "id", "out_of_range"),
        ({"id": "\ud800", "periods": [WEEK]}, "id", "not_text"),
        ({"id": "s"}, "periods", "missing_field"),
        ({"id": "s", "periods": None}, "periods", "wrong_type"),
        ({"id": "s", "periods": WEEK}, "periods", "wrong_type"),
        ({"id": "s", "periods": []}, "periods", "empty_list"),
        ({"id": "s", "periods": [7]}, "periods[0]", "wrong_type"),
        ({"id": "s", "periods": [{"clicks": 1}]}, "periods[0].period", "missing_field"),
        ({"id": "s", "periods": [WEEK], "name": "Ada"}, "name", "unknown_field"),
        ({"id": "s", "periods": [WEEK], "clicks": 3}, "clicks", "unknown_field"),
        (student(*[{"period": n} for n in range(1, 6)]), "periods", "too_many_periods"),
        (student(WEEK, WEEK), "periods[1].period", "duplicate_period"),
        (student({"period": 2}, {"period": 1}), "periods[1].period", "unordered_periods"),
    ],
)
def test_a_fault_in_a_student_is_named_with_its_field(
    row: Any, field: str | None, code: str
) -> None:
    assert faults_of(row) == [(field, code)]


def test_a_misspelt_feature_gets_the_one_that_was_meant() -> None:
    [fault] = INTAKE.read([student({"period": 1, "balnce": 3})]).faults

    assert "did you mean `balance`?" in fault.message


def test_a_feature_beside_the_periods_is_sent_inside() -> None:
    [fault] = INTAKE.read([student(WEEK) | {"clicks": 3}]).faults

    assert "belongs into the objects of `periods`" in fault.message


def test_right_values_beside_a_wrong_one_are_not_called_wrong() -> None:
    right = {"clicks": 0, "balance": 0, "region": "42", "enrolled": False}

    assert faults_of(student(WEEK | right | {"effort": 3})) == [("periods[0].effort", "wrong_type")]


def test_all_faults_of_a_row_are_told_at_once() -> None:
    row = {"id": 7, "periods": [WEEK | {"clicks": -1, "region": "east"}, WEEK, {"weeks": 2}]}

    assert faults_of(row) == [
        ("id", "wrong_type"),
        ("periods[0].clicks", "out_of_range"),
        ("periods[0].region", "unknown_level"),
        ("periods[2].period", "missing_field"),
        ("periods[2].weeks", "unknown_field"),
        ("periods[1].period", "duplicate_period"),
    ]


def test_many_faulty_rows_still_get_one_fault_each() -> None:
    rows = [student(*[{"period": 1, "clicks": -1, "effort": 3}] * 4)] * 1000
    faults = INTAKE.read(rows).faults

    assert {fault.row for fault in faults} == set(range(1000))
    assert len(faults) < THOROUGH_FAULTS + 1000 + 20


def test_an_object_that_is_no_json_is_refused_not_scored() -> None:
    assert faults_of(student(WEEK | {"region": b"south"})) == [("periods[0].region", "wrong_type")]
    assert faults_of({"id": "s", "periods": {1, 2}}) == [("periods", "wrong_type")]


def test_faults_stay_in_the_order_of_the_rows() -> None:
    rows = [student(WEEK, WEEK), 3, student(WEEK), student(WEEK, WEEK), 4]
    admission = INTAKE.read(rows)

    assert [fault.row for fault in admission.faults] == [0, 1, 3, 4]
    assert admission.rows.tolist() == [2]


# ---- laws ------------------------------------------------------------------------------------

_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just("\ud800"),
    st.just([]),
    st.just({}),
)
_NUMBERS = st.one_of(st.floats(-5, 50, width=32), st.integers(-2, 50), st.just(1e39), st.just(1e38))
_PERIODS = st.fixed_dictionaries(
    {},
    optional={
        "period": st.one_of(st.integers(0, 5), _JUNK),
        "clicks": st.one_of(_NUMBERS, _JUNK),
        "balance": st.one_of(_NUMBERS, _JUNK),
        "region": st.one_of(st.sampled_from(["north", "42", "east"]), _JUNK),
        "effort": st.one_of(st.sampled_from(["low", "high", ""]), _JUNK),
        "enrolled": st.one_of(st.booleans(), _JUNK),
        "x": _JUNK,
    },
)
_GOOD_PERIODS = st.fixed_dictionaries(
    {"period": st.integers(1, 4)},
    optional={
        "clicks": st.one_of(st.none(), st.floats(0, 1e30)),
        "balance": st.one_of(st.none(), st.integers(-9, 9), st.floats(-1e30, 1e30)),
        "region": st.sampled_from([None, "north", "south", "42"]),
        "effort": st.sampled_from([None, "low", "middle", "high"]),
        "enrolled": st.sampled_from([None, True, False]),
    },
)
_GOOD = st.builds(
    lambda name, periods: {"id": name, "periods": sorted(periods, key=lambda p: p["period"])},
    st.text("abc", min_size=1, max_size=4),
    st.lists(_GOOD_PERIODS, min_size=1, max_size=4, unique_by=lambda p: p["period"]),
)
_MAYBE = st.one_of(
    _GOOD,
    st.fixed_dictionaries(
        {"id": st.one_of(st.just("s"), _JUNK)},
        optional={"periods": st.one_of(st.lists(_PERIODS, max_size=5), _JUNK), "x": _JUNK},
    ),
    _JUNK,
)


def same(left: StudentBatch, right: StudentBatch) -> None:
    np.testing.assert_array_equal(left.values, right.values)
    np.testing.assert_array_equal(left.lengths, right.lengths)
    assert left.ids == right.ids


@settings(max_examples=300, deadline=None)
@given(_MAYBE)
def test_json_decoding_accepts_exactly_what_reading_accepts(row: Any) -> None:
    read = INTAKE.read([row])
    decoder = msgspec.json.Decoder(INTAKE.student_type)
    try:
        decoded = INTAKE.collect([decoder.decode(json.dumps(row))])
    except msgspec.DecodeError:
        assert not read.rows.size
        assert read.faults
    else:
        same(decoded, read)
        assert decoded.faults == read.faults


_RISING_OR_NOT = st.builds(
    lambda name, periods: {"id": name, "periods": periods},
    st.text("abc", min_size=1, max_size=4),
    st.lists(_GOOD_PERIODS, min_size=1, max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(_GOOD | _RISING_OR_NOT, min_size=1, max_size=3), min_size=1, max_size=6))
def test_requests_laid_out_together_are_those_gathered_alone(requests: list[list[Any]]) -> None:
    decoder = msgspec.json.Decoder(list[INTAKE.student_type])  # type: ignore[name-defined]
    typed = [decoder.decode(json.dumps(students)) for students in requests]
    alone = [INTAKE.collect(students) for students in typed]
    taken = [INTAKE.parse(students) for students in typed]
    for part, own, students in zip(taken, alone, typed, strict=True):
        assert part.faults == own.faults
        assert isinstance(part, LazyStudent) == (len(students) == len(own.ids) == 1)

    laid = INTAKE.to_arrays(taken)

    assert laid.values.dtype == np.float32
    assert laid.lengths.dtype == np.int32
    np.testing.assert_array_equal(laid.values, np.concatenate([own.values for own in alone]))
    np.testing.assert_array_equal(laid.lengths, np.concatenate([own.lengths for own in alone]))
    for part, own in zip(taken, alone, strict=True):
        np.testing.assert_array_equal(part.values, own.values)
        np.testing.assert_array_equal(part.lengths, own.lengths)
        assert (part.ids, part.rows.tolist()) == (own.ids, own.rows.tolist())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(_GOOD, _MAYBE), max_size=6))
def test_a_row_is_read_as_if_it_were_alone(rows: list[Any]) -> None:
    for at, row in enumerate(rows):
        if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]:
            row["id"] = f"{at}{row['id']}"[:128]
    together = INTAKE.read(rows)
    alone = [INTAKE.read([row]) for row in rows]

    accepted = [at for at, admission in enumerate(alone) if admission.rows.size]
    assert together.rows.tolist() == accepted
    assert {fault.row for fault in together.faults} == set(range(len(rows))) - set(accepted)
    for position, at in enumerate(accepted):
        np.testing.assert_array_equal(together.values[position], alone[at].values[0])
        assert together.lengths[position] == alone[at].lengths[0]
        assert together.ids[position] == alone[at].ids[0]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["clicks", "balance", "region", "effort", "enrolled", "period", "id"]),
    st.one_of(
        st.integers(10**6).map(str),
        st.integers(-(10**9), -(10**6)),
        st.floats(-1e300, -1e40),
        st.just(["secret-diagnosis"]),
    ),
)
def test_no_message_contains_the_value(field: str, value: Any) -> None:
    row = student(WEEK | {field: value}) if field != "id" else {"id": [value], "periods": [WEEK]}

    for fault in INTAKE.read([row]).faults:
        shown = f"{fault.field} {fault.code} {fault.message}"
        assert str(value).strip("[]'") not in shown


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_cohort_survives_the_way_through_json_exactly(data: st.DataObject) -> None:
    contract = load_contract("simulated")
    maximum, count = contract.periods.maximum, data.draw(st.integers(1, 4))
    lengths = np.array([data.draw(st.integers(1, maximum)) for _ in range(count)], np.int32)
    values = np.full((count, maximum, len(contract.features)), np.nan, np.float32)
    cell = st.one_of(st.just(math.nan), st.floats(0, 10, width=32))
    for row, length in enumerate(lengths):
        for period in range(length):
            values[row, period] = [data.draw(cell) for _ in contract.features]
    names = np.array([f"s-{row}" for row in range(count)])
    unknown = np.full((count, maximum), np.nan, np.float32)
    cohort = Cohort(
        contract=contract,
        ids=names,
        students=names,
        cohorts=np.full(count, "2024"),
        values=values,
        lengths=lengths,
        eligible=np.zeros((count, maximum), bool),
        risk=unknown,
        score=unknown[:, :, None].repeat(len(contract.targets.score.subjects), 2),
        audit={attribute.name: np.full(count, "") for attribute in contract.audit},
    )

    admission = Intake(contract).read(json.loads(json.dumps(students_of(cohort))))

    np.testing.assert_array_equal(admission.values, values)
    np.testing.assert_array_equal(admission.lengths, lengths)
    assert admission.ids == names.tolist()
    assert admission.faults == []


def with_id(name: str) -> dict[str, Any]:
    return {"id": name, "periods": [WEEK]}


def test_ids_that_no_reader_can_tell_apart_are_one_students() -> None:
    sent = ["s-1", "S-1", "s-1 ", "s\u200b-1", "s-2"]
    read = INTAKE.read(map(with_id, sent))
    assert read.ids == ["s-1", "S-1", "s-2"]
    assert read.rows.tolist() == [0, 1, 4]
    assert [(fault.row, fault.field, fault.code) for fault in read.faults] == [
        (2, "id", "duplicate_id"),
        (3, "id", "duplicate_id"),
    ]
    assert "students[0]" in read.faults[0].message


def test_the_duplicate_is_found_among_the_rows_of_the_request() -> None:
    read = INTAKE.read([with_id("a"), {"id": 3}, with_id("b"), with_id("b")])
    assert read.rows.tolist() == [0, 2]
    assert [fault.row for fault in read.faults if fault.code == "duplicate_id"] == [3]
    assert "students[2]" in read.faults[-1].message


@pytest.mark.parametrize("students", [["\u200b"], [" "], ["a", "\u00a0\u2060"]])
def test_an_id_must_hold_something_visible(students: list[str]) -> None:
    typed = [msgspec.convert(with_id(name), INTAKE.student_type) for name in students]
    for read in (INTAKE.read(map(with_id, students)), INTAKE.parse(typed)):
        assert read.ids == students[:-1]
        [fault] = read.faults
        assert (fault.row, fault.field, fault.code) == (len(students) - 1, "id", "out_of_range")


def test_ids_are_echoed_as_they_were_sent() -> None:
    assert INTAKE.read([with_id(" Mu\u0308ller ")]).ids == [" Mu\u0308ller "]


def test_a_whole_number_with_a_point_is_a_period() -> None:
    whole = {"id": "a", "periods": [{**WEEK, "period": number} for number in (1, 2, 4)]}
    mixed = {"id": "a", "periods": [{**WEEK, "period": number} for number in (1.0, 2, 4.0)]}
    same(INTAKE.read([mixed]), INTAKE.read([whole]))


@pytest.mark.parametrize(
    ("number", "code"),
    [(1.5, "wrong_type"), (5.0, "out_of_range"), (1e300, "out_of_range"), (True, "wrong_type")],
)
def test_other_numbers_are_no_periods(number: float, code: str) -> None:
    read = INTAKE.read([{"id": "a", "periods": [{**WEEK, "period": number}]}])
    assert [(fault.field, fault.code) for fault in read.faults] == [("periods[0].period", code)]


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("click", 3, "clicks"),
        ("clicks_1", 3, None),
        ("efort", "low", "effort"),
        ("efort", 3, None),
        ("peroid", 1, "period"),
    ],
)
def test_a_feature_is_suggested_only_where_the_name_and_the_value_fit(
    key: str, value: object, meant: str | None
) -> None:
    [fault] = INTAKE.read([{"id": "a", "periods": [{"period": 1, key: value}]}]).faults
    assert fault.code == "unknown_field"
    assert ("did you mean" in fault.message) == (meant is not None)
    assert meant is None or f"did you mean `{meant}`?" in fault.message
