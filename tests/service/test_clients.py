"""BentoML's own clients, and a service that depends on ours, work as with any BentoML service."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import bentoml
import httpx
import pytest
from bentoml.exceptions import BentoMLException

from tests.service.asking import problem, score, student
from tests.service.running import Running, environment, run_example, serving

FAULTY = student("s-2", [{"period": 1, "atendance": 50}])


def test_the_synchronous_client_scores(server: Running, http: httpx.Client) -> None:
    with bentoml.SyncHTTPClient(server.url) as client:
        answer = client.score(students=[student(), FAULTY], recommendations=True)

    assert answer == score(http, student(), FAULTY).json()
    assert "did you mean `attendance`?" in answer["errors"][0]["message"]


def test_the_synchronous_client_asks_what_is_loaded(server: Running, http: httpx.Client) -> None:
    with bentoml.SyncHTTPClient(server.url) as client:
        assert client.contract() == http.get("/contract").json()
        assert client.policy() == http.get("/policy").json()
        assert client.model() == http.get("/model").json()


def test_the_synchronous_client_asks_for_reasons_and_futures(
    server: Running, http: httpx.Client
) -> None:
    with bentoml.SyncHTTPClient(server.url) as client:
        answer = client.score(students=[student()], reasons="change")
        futures = client.what_if(student=student(), periods=1, below=0.2)

    assert answer["assessments"][0]["reasons"]["view"] == "change"
    fields = {"student": student(), "periods": 1, "below": 0.2}
    assert futures == http.post("/what-if", json=fields).json()


def test_the_synchronous_client_raises_the_problem(server: Running) -> None:
    with (
        bentoml.SyncHTTPClient(server.url) as client,
        pytest.raises(BentoMLException, match="unknown_field") as refused,
    ):
        client.score(students=[FAULTY])

    assert refused.value.error_code == 422


def test_the_asynchronous_client_scores_many_at_once(server: Running) -> None:
    async def ask() -> list[str]:
        async with bentoml.AsyncHTTPClient(server.url) as client:
            answers = await asyncio.gather(
                *(client.score(students=[student(f"s-{number}")]) for number in range(20))
            )
        return [answer["assessments"][0]["id"] for answer in answers]

    assert asyncio.run(ask()) == [f"s-{number}" for number in range(20)]


def test_the_example_of_the_synchronous_client_runs(server: Running) -> None:
    printed = run_example("sync_client.py", server.url)

    assert "s-1: " in printed
    assert "s-2 was not assessed: periods[0].attendance: Attendance must be a number" in printed


def test_the_example_of_the_asynchronous_client_runs(server: Running) -> None:
    printed = run_example("async_client.py", server.url).splitlines()

    assert [line.split(":")[0] for line in printed] == ["class 1", "class 2", "class 3"]
    assert len(printed[2].split(",")) == 5


@pytest.fixture(scope="module")
def worklist(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The example of a service that depends on Bellwether, with Bellwether behind it."""
    folder = tmp_path_factory.mktemp("worklist")
    variables = environment(folder, bundle=bundle_dir, threads="1")
    with serving(folder, variables, target="examples/dependent_service.py:Worklist") as running:
        yield running


def test_a_service_that_depends_on_us_gets_typed_answers(
    worklist: Running, http: httpx.Client
) -> None:
    students = [student("a"), student("b", [{"period": 1}]), FAULTY]
    expected = [
        {
            "id": one["id"],
            "risk": one["risk"],
            "about": [advice["label"] for advice in one["recommendations"]],
        }
        for one in score(http, *students).json()["assessments"]
        if one["recommendations"]
    ]

    with bentoml.SyncHTTPClient(worklist.url) as client:
        assert client.first(students=students) == expected
    assert "error" not in worklist.said().lower()


def test_a_refusal_reaches_the_service_that_depends_on_us(worklist: Running) -> None:
    response = httpx.post(worklist.url + "/first", json={"students": [FAULTY]}, timeout=30)

    assert response.status_code == 422
    assert "unknown_field" in response.text


def test_the_service_behind_another_has_the_one_shape_too(server: Running) -> None:
    """Clients never speak pickle with the service that they talk to, only dependents do."""
    headers = {"content-type": "application/vnd.bentoml+pickle"}

    problem(httpx.post(server.url + "/score", content=b"x", headers=headers), 415)
