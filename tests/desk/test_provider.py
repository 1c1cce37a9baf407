"""Sign-in through a real OpenID provider, from the desk's page and back to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from access.roles import Grant, Role
from tests.access.provider_process import (
    CLIENT_SECRET,
    new_key,
    run_provider,
    sign_in_at_provider,
)
from tests.desk.running_desk import RunningDesk, Visitor, running_desk
from tests.service.running import free_port

_CALLBACK = "/sign-in/provider/callback"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    port = free_port()
    settings = {
        "provider_issuer": f"http://127.0.0.1:{port}",
        "provider_client_id": "desk",
        "provider_client_secret": CLIENT_SECRET,
        "provider_name": "Campus",
    }
    with running_desk(tmp_path_factory.mktemp("desk"), **settings) as running:
        running.add_person("ada@example.edu", "Ada", Grant(Role.ADVISER))
        with run_provider([new_key("first")], port, running.url + _CALLBACK):
            yield running


def _answer(desk: RunningDesk, visitor: Visitor, name: str) -> dict[str, str]:
    leaving = visitor.http.get("/sign-in/provider", params={"back": "/worklist"})
    assert leaving.status_code == 303
    return sign_in_at_provider(leaving.headers["location"], name, desk.url + _CALLBACK)


def test_a_person_signs_in_at_the_provider_and_comes_back_to_the_page(desk: RunningDesk) -> None:
    with desk.visitor() as visitor:
        assert "Sign in with Campus" in visitor.get("/sign-in?back=/worklist").text
        answer = _answer(desk, visitor, "ada")
        back = visitor.http.get(_CALLBACK, params=answer)
        assert (back.status_code, back.headers["location"]) == (303, "/worklist")
        assert visitor.get("/worklist").status_code == 200
        assert visitor.http.get(_CALLBACK, params=answer).status_code == 403


def test_an_answer_does_not_sign_in_another_browser(desk: RunningDesk) -> None:
    with desk.visitor() as visitor, desk.visitor() as other:
        answer = _answer(desk, visitor, "ada")
        refused = other.http.get(_CALLBACK, params=answer)
        assert refused.status_code == 403
        assert "did not begin in this browser" in refused.text
        assert other.http.get("/worklist").status_code == 303


def test_a_stranger_with_an_account_there_stays_outside(desk: RunningDesk) -> None:
    with desk.visitor() as visitor:
        refused = visitor.http.get(_CALLBACK, params=_answer(desk, visitor, "stranger"))
        assert refused.status_code == 403
        assert "no account at this desk" in refused.text
        assert visitor.http.get("/worklist").status_code == 303


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    with running_desk(tmp_path) as plain, plain.visitor() as visitor:
        assert visitor.http.get("/sign-in/provider").status_code == 404
        assert "/sign-in/provider" not in visitor.get("/sign-in").text


def test_a_provider_that_is_down_leaves_the_other_ways(tmp_path: Path) -> None:
    settings = {"provider_issuer": "http://127.0.0.1:9", "provider_client_id": "desk"}
    with running_desk(tmp_path, **settings) as away, away.visitor() as visitor:
        answer = visitor.http.get("/sign-in/provider")
        assert answer.status_code == 502
        assert 'name="password"' in answer.text
