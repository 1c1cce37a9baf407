"""Students in tables are admitted, and refused, exactly as those in JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import Fault, TableError
from records.identity.ids import match_key
from records.tables.slices import SeenIds, StudentRows, students_of_rows, whole_students
from scoring.students.intake import StudentBatch
from scoring.tables.intake import TableIntake
from tests.scoring.arrow_tables import as_table, cut
from tests.scoring.mixed import INTAKE, MIXED

TABLES = TableIntake(MIXED)
_NUMBERS = st.one_of(
    st.none(), st.floats(-1, 200, allow_nan=False), st.sampled_from([float("inf"), 3e38, 4e38])
)
_PERIOD: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"period": st.integers(0, 5)},
    optional={
        "clicks": _NUMBERS,
        "balance": _NUMBERS,
        "region": st.sampled_from(["north", "south", "42", "west", None]),
        "effort": st.sampled_from(["low", "middle", "high", None]),
        "enrolled": st.sampled_from([True, False, None]),
    },
).map(
    lambda entry: {name: entry[name] for name in ("period", *MIXED.feature_names) if name in entry}
)
_GOOD = st.lists(_PERIOD, min_size=1, max_size=4, unique_by=lambda entry: entry["period"]).map(
    lambda entries: sorted(entries, key=lambda entry: entry["period"])
)
STUDENTS = st.lists(
    st.tuples(
        st.text(max_size=5) | st.just("x" * 129), _GOOD | st.lists(_PERIOD, min_size=1, max_size=6)
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda student: match_key(student[0]),
).map(lambda students: [{"id": name, "periods": periods} for name, periods in students])


def admitted(slices: Iterable[StudentRows], students: int) -> StudentBatch:
    """Admit slices of so many students and put the admissions together."""
    parts = [TABLES.admit(part, at * students) for at, part in enumerate(slices)]
    return StudentBatch(
        rows=np.concatenate([part.rows for part in parts]),
        ids=[name for part in parts for name in part.ids],
        values=np.concatenate([part.values for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
        faults=[fault for part in parts for fault in part.faults],
    )


def assert_same(one: StudentBatch, other: StudentBatch) -> None:
    np.testing.assert_array_equal(one.rows, other.rows)
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.lengths, other.lengths)
    # JSON refuses a student with too many entries before it looks at them.
    full = {fault.row for fault in other.faults if fault.code == "too_many_periods"}
    assert full <= {fault.row for fault in one.faults}
    of_both = ([it for it in faults if it.row not in full] for faults in (one.faults, other.faults))
    assert next(of_both) == next(of_both)


def sliced(table: pa.Table, cuts: Sequence[int], students: int) -> list[StudentRows]:
    TABLES.select(table.schema)
    return list(whole_students(cut(table, cuts), students=students, rows_per_student=10))


@given(STUDENTS, st.lists(st.integers(0, 5), max_size=6), st.integers(1, 5), st.booleans())
def test_a_table_gives_what_json_gives_however_it_is_cut(
    students: list[dict[str, Any]], cuts: list[int], size: int, dictionary: bool
) -> None:
    table = as_table(MIXED, students, dictionary=dictionary)
    assert_same(admitted(sliced(table, cuts, size), size), INTAKE.read(students))


@given(STUDENTS, st.integers(1, 5))
def test_text_as_csv_has_it_gives_the_same(students: list[dict[str, Any]], size: int) -> None:
    table = as_table(MIXED, students)
    text = pa.table(
        {
            name: pa.array(
                ["" if value is None else str(value) for value in table[name].to_pylist()]
            )
            for name in table.column_names
        }
    )
    assert_same(admitted(sliced(text, [3], size), size), INTAKE.read(students))


def test_float32_columns_may_hold_the_nearest_number_to_a_bound() -> None:
    table = pa.table({"id": ["a"], "period": [1], "clicks": pa.array([0.0], pa.float32())})
    assert not TABLES.admit(students_of_rows(table.to_batches()[0])).faults


def test_rows_that_were_not_observed_count_for_nothing() -> None:
    table = pa.table(
        {
            "id": ["a", "a", "b", "c"],
            "period": [1, 2, 1, 1],
            "observed": [True, False, False, None],
            "clicks": [1.0, None, None, 2.0],
        }
    )
    admission = TABLES.admit(students_of_rows(table.to_batches()[0]))

    assert (admission.ids, admission.lengths.tolist()) == (["a", "c"], [1, 1])
    assert [(fault.row, fault.code) for fault in admission.faults] == [(1, "empty_list")]


def test_words_and_numbers_of_spreadsheets_are_read() -> None:
    table = pa.table(
        {
            "id": ["a", "a", "b"],
            "period": ["1", " 2", "1"],
            "clicks": ["NA", " 7 ", "seven"],
            "enrolled": ["yes", "", "0"],
            "region": [" north ", "NaN", "south"],
        }
    )
    admission = TABLES.admit(students_of_rows(table.to_batches()[0]))

    np.testing.assert_array_equal(admission.values[0, :2, 0], [np.nan, 7])
    np.testing.assert_array_equal(admission.values[0, :2, 2], [0, np.nan])
    np.testing.assert_array_equal(admission.values[0, :2, 4], [1, np.nan])
    message = "Clicks must be a number of at least 0, or missing (null, or an empty cell)."
    assert admission.faults == [Fault(1, "periods[0].clicks", "wrong_type", message)]


@pytest.mark.parametrize(
    ("columns", "field", "code"),
    [
        ({"id": ["a"]}, "period", "missing_field"),
        ({"period": [1]}, "id", "missing_field"),
        ({"id": ["a"], "period": [1], "click": [1]}, "click", "unknown_field"),
        ({"id": ["a"], "period": [1], "clicks": [True]}, "clicks", "wrong_type"),
        ({"id": ["a"], "period": [1], "clicks": [[1]]}, "clicks", "wrong_type"),
        ({"id": [True], "period": [1]}, "id", "wrong_type"),
        ({"id": ["a"], "period": [1], "region": [True]}, "region", "wrong_type"),
    ],
)
def test_a_table_with_wrong_columns_is_refused_as_a_whole(
    columns: dict[str, list[Any]], field: str, code: str
) -> None:
    with pytest.raises(TableError) as caught:
        TABLES.select(pa.table(columns).schema)
    assert (caught.value.faults[0].field, caught.value.code) == (field, code)


def test_a_table_is_checked_while_another_thread_checks_a_different_one() -> None:
    """A thread may give way to another in the middle of a check."""
    intake = TableIntake(MIXED)
    names = [["id", "period"], ["id", "period", INTAKE.contract.feature_names[0]]]
    ours, other = (pa.schema([(name, pa.string()) for name in columns]) for columns in names)

    class Interrupted:
        names = ours.names
        field = ours.field

        def equals(self, checked: pa.Schema) -> bool:
            intake.select(other)
            return bool(ours.equals(checked))

    intake.select(ours)
    assert intake.select(Interrupted()) == names[0]


def test_columns_of_the_records_beside_the_features_are_left_out() -> None:
    names = ["id", "period", "risk", "score", "eligible", "clicks"]
    assert TABLES.select(pa.schema([(name, pa.string()) for name in names])) == [
        "id",
        "period",
        "clicks",
    ]


def test_rows_of_a_student_that_lie_apart_are_refused_with_the_remedy() -> None:
    table = pa.table({"id": ["a", "b", "a"], "period": [1, 1, 2]})
    with pytest.raises(TableError, match="Sort the table by `id`, then `period`"):
        sliced(table, [1, 1], 1)


@given(st.lists(st.lists(st.integers(0, 300).map(str), max_size=20), max_size=30))
def test_an_id_that_comes_again_is_always_noticed(batches: list[list[str]]) -> None:
    seen, known = SeenIds(), set[str]()
    for batch in batches:
        twice = len(set(batch)) < len(batch) or bool(known & set(batch))
        known |= set(batch)
        if twice:
            with pytest.raises(TableError):
                seen.add(batch)
            return
        seen.add(batch)


def test_a_student_without_end_does_not_fill_the_memory() -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["a"] * 100, "period": [1] * 100})
    last = pa.RecordBatch.from_pydict({"id": ["a", "b"], "period": [1, 1]})
    (only,) = whole_students([batch] * 100 + [last], students=5, rows_per_student=10)
    assert only.rows.column("id").to_pylist() == ["a"] * 10 + ["b"]
    assert only.names == ["a", "b"]
    assert only.starts.tolist() == [0, 10]


@given(
    st.integers(1, 4),
    st.lists(st.lists(_PERIOD, min_size=4, max_size=4), min_size=1, max_size=6),
    st.booleans(),
)
def test_a_cohort_at_a_point_in_time_gives_what_json_gives(
    periods: int, drawn: list[list[dict[str, Any]]], dictionary: bool
) -> None:
    """All have the same periods; a fault among them must not be missed."""
    students = [
        {
            "id": f"s-{at}",
            "periods": [{**row, "period": place + 1} for place, row in enumerate(rows[:periods])],
        }
        for at, rows in enumerate(drawn)
    ]
    table = as_table(MIXED, students, dictionary=dictionary)
    assert_same(admitted(sliced(table, [3], 4), 4), INTAKE.read(students))


def test_ids_of_a_dictionary_may_be_there_twice() -> None:
    words = pa.array(["a", "b", "a", None])
    ids = pa.DictionaryArray.from_arrays(pa.array([0, 2, 1, 3, None], pa.int8()), words)
    part = students_of_rows(pa.RecordBatch.from_arrays([ids], ["id"]))
    assert part.names == ["a", "b", None]
    assert part.starts.tolist() == [0, 2, 3]


def test_periods_that_are_no_whole_numbers_are_refused_without_a_warning() -> None:
    periods = pa.array([float("inf"), float("nan"), -1.0, 1.5, 2.0**40, None, 2.0])
    table = pa.table({"id": list("abcdefg"), "period": periods})
    admission = TABLES.admit(students_of_rows(table.to_batches()[0]), 0)
    assert admission.ids == ["g"]
    assert admission.lengths.tolist() == [2]
    assert {fault.field for fault in admission.faults} == {"periods[0].period"}
