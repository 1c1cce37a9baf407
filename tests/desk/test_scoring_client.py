"""The client of the scoring service against a real one, and against none."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from cases.scoring import StudentHistory
from desk.scoring_client import MOST_WITH_REASONS, ScorerClient, ScorerError


@pytest.fixture
def client(scorer: str) -> Iterator[ScorerClient]:
    """A client of a real service."""
    with closing(ScorerClient(scorer)) as client:
        yield client


def _students(count: int) -> list[StudentHistory]:
    periods = [{"period": number, "attendance": 60, "quiz": 40} for number in (1, 2, 3)]
    return [StudentHistory(str(number), periods) for number in range(count)]


def test_more_students_than_reasons_are_given_for_are_asked_for_in_parts(
    client: ScorerClient,
) -> None:
    students = _students(MOST_WITH_REASONS + 3)
    batch = client.score(students)
    assert set(batch.assessments) == {one.id for one in students}
    assert all(one["reasons"] for one in batch.assessments.values())
    assert client.score(students, reasons=False).model == batch.model


def test_what_is_wrong_with_one_student_is_told_by_their_id(
    client: ScorerClient,
) -> None:
    students = _students(2)
    faulty = StudentHistory("faulty", [{"period": 1, "attendance": 900}])
    batch = client.score([students[0], faulty, students[1]])
    assert set(batch.problems) == {"faulty"}
    assert set(batch.assessments) == {"0", "1"}


def test_contract_and_policy_come_from_the_service(client: ScorerClient) -> None:
    assert client.contract().name == "simulated"
    assert client.policy().contract == "simulated"
    assert client.is_ready()


def test_a_service_that_does_not_answer_is_a_temporary_fault_without_values() -> None:
    with closing(ScorerClient("http://127.0.0.1:9", timeout=2)) as client:
        with pytest.raises(ScorerError) as raised:
            client.score(_students(1))
        assert raised.value.is_temporary
        assert "attendance" not in str(raised.value)
        assert not client.is_ready()
