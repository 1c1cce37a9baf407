"""Tokens of the service: what opens which route, on both ways, and how a revoked one stops working."""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.secret_tokens import digest
from service.auth import (
    LOOK_SECONDS,
    Authorizer,
    Scope,
    TokenFileError,
    make_token,
    parse_tokens,
)
from service.http.problems import RequestError
from service.routes import BULK, OURS, ROUTES, SCORE
from service.settings import Settings, SettingsError
from tests.service.asking import kind, problem, student
from tests.service.running import Running, environment, serving

_BOTH, _LINE = make_token("desk", Scope, datetime(2100, 1, 1, tzinfo=UTC))
_READER, _READ_LINE = make_token("dashboard", [Scope.READ], None)
_EXPIRED, _OLD_LINE = make_token("old", Scope, datetime(2020, 1, 1, tzinfo=UTC))
_FILE = f"# callers\n\n{_LINE}\n{_READ_LINE}\n{_OLD_LINE}\n"


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens") / "tokens"


@pytest.fixture(scope="module")
def guarded(
    bundle_dir: Path, tokens_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A real server that has tokens."""
    tokens_file.write_text(_FILE)
    folder = tmp_path_factory.mktemp("guarded")
    variables = environment(folder, bundle=bundle_dir, threads="1", tokens_file=tokens_file)
    with serving(folder, variables) as running:
        yield running


@pytest.fixture
def client(guarded: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url, timeout=30) as client:
        yield client


def _ask(
    client: httpx.Client, path: str, headers: Mapping[str, str], method: str | None = None
) -> httpx.Response:
    """Ask a route as it wants to be asked."""
    body: dict[str, Any] | None = None
    if path == SCORE.path:
        body = {"students": [student()]}
    elif path == BULK.path:
        weeks: list[dict[str, Any]] = student()["periods"]
        columns = {name: [week[name] for week in weeks] for name in weeks[0]}
        body = {"ids": ["s-1"], "lengths": [len(weeks)]} | columns
    return client.request(method or ROUTES[path].methods[0], path, headers=headers, json=body)


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_every_route_is_open_or_asks_for_a_token(client: httpx.Client, path: str) -> None:
    """Generated from the route table: what is added there is covered here."""
    route = ROUTES[path]
    for method in route.methods:
        answers = {
            name: _ask(client, path, headers, method).status_code
            for name, headers in {
                "none": {},
                "wrong": _bearer(_BOTH[:-1] + "?"),
                "expired": _bearer(_EXPIRED),
                "reader": _bearer(_READER),
                "both": _bearer(_BOTH),
            }.items()
        }
        if route.is_open:
            assert len(set(answers.values())) == 1, answers
            assert answers["none"] == 200
        else:
            assert [answers[one] for one in ("none", "wrong", "expired")] == [401, 401, 401]
            assert (answers["reader"] == 403) == (route.scope is Scope.SCORE)
            assert answers["both"] not in {401, 403}


def test_only_the_routes_that_tell_nothing_of_anybody_are_open() -> None:
    shut = {route.path for route in OURS if not route.is_open}
    assert {"/score", "/score/bulk", "/contract", "/policy", "/model", "/card"} <= shut
    assert {route.path for route in ROUTES.values() if route.scope is Scope.READ} == {
        "/contract",
        "/policy",
        "/model",
        "/card",
    }


def test_the_fast_path_and_asgi_refuse_alike(client: httpx.Client) -> None:
    """A request with `Origin` goes through ASGI, another takes the fast path."""
    for more in ({}, {"origin": "https://elsewhere.example"}):
        refused = _ask(client, "/score", more)
        assert kind(problem(refused, 401)) == "unauthorized"
        assert refused.headers["www-authenticate"] == 'Bearer realm="bellwether"'
        wrong = _ask(client, "/score", _bearer("bws_wrong") | more)
        assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
        assert "bws_wrong" not in wrong.text
        other = _ask(client, "/score", _bearer(_READER) | more)
        assert kind(problem(other, 403)) == "forbidden"
        assert 'scope="score"' in other.headers["www-authenticate"]
        assert _ask(client, "/score", _bearer(_BOTH) | more).status_code == 200


def test_a_refused_body_is_not_read_and_the_connection_stays_in_step(guarded: Running) -> None:
    """The next request on the connection gets its own answer, not a part of the body before."""
    body = b'{"students": []}' * 1000
    head = b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    first = head + b"content-length: %d\r\n\r\n" % len(body) + body
    second = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    host, port = guarded.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(first + second)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"401", b"200"]


def test_a_token_that_is_taken_out_of_the_file_stops_working(
    client: httpx.Client, tokens_file: Path, guarded: Running
) -> None:
    assert _ask(client, "/score", _bearer(_BOTH)).status_code == 200
    tokens_file.write_text(_READ_LINE + "\n")
    try:
        _await(lambda: _ask(client, "/score", _bearer(_BOTH)).status_code == 401)
        assert _ask(client, "/model", _bearer(_READER)).status_code == 200
        tokens_file.write_text("not a line\n")
        _await(lambda: _is_logged(client, guarded))
        assert _ask(client, "/model", _bearer(_READER)).status_code == 200
    finally:
        tokens_file.write_text(_FILE)
    _await(lambda: _ask(client, "/score", _bearer(_BOTH)).status_code == 200)
    assert _BOTH not in guarded.said()


def _is_logged(client: httpx.Client, guarded: Running) -> bool:
    _ask(client, "/model", _bearer(_READER))
    return "Tokens stay as they were" in guarded.said()


def _await(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "the change was not noticed"
        time.sleep(LOOK_SECONDS / 4)


def test_the_description_names_the_token(client: httpx.Client) -> None:
    document = client.get("/docs.json").json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == (not ROUTES[path].is_open)
            assert ("401" in operation["responses"]) == (not ROUTES[path].is_open)


_HEADERS = st.lists(
    st.tuples(st.sampled_from([b"authorization", b"accept"]), st.binary(max_size=60))
)


@given(headers=_HEADERS)
def test_no_other_header_opens_anything(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RequestError) as refused:
        Authorizer(parse_tokens(_LINE, "tokens")).authorize(headers, Scope.READ)
    assert refused.value.status == 401


@pytest.mark.parametrize("written", ["Bearer {}", "bearer {}", "BEARER   {}", "Bearer {} "])
def test_the_scheme_has_no_case(written: str) -> None:
    authorizer = Authorizer(parse_tokens(_LINE, "tokens"))
    value = written.format(_BOTH).encode()
    authorizer.authorize([(b"authorization", value)], Scope.SCORE)
    for wrong in (b"Basic " + value, _BOTH.encode(), value.replace(b"ws_", b"ws-"), b"Bearer"):
        with pytest.raises(RequestError):
            authorizer.authorize([(b"authorization", wrong)], Scope.SCORE)
    with pytest.raises(RequestError):
        authorizer.authorize([(b"authorization", value)] * 2, Scope.SCORE)


def test_a_token_works_until_the_day_on_which_it_expires() -> None:
    now = [datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()]
    secret, line = make_token("desk", [Scope.SCORE], datetime(2027, 1, 1, 15, tzinfo=UTC))
    authorizer = Authorizer(parse_tokens(line, "tokens"), clock=lambda: now[0])
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    authorizer.authorize(headers, Scope.SCORE)
    now[0] += 1
    with pytest.raises(RequestError, match="expired"):
        authorizer.authorize(headers, Scope.SCORE)


def test_without_tokens_everybody_may_ask() -> None:
    authorizer = Authorizer.from_settings(None, None)
    assert authorizer.is_open
    authorizer.authorize([], Scope.SCORE)


def test_a_line_holds_no_secret() -> None:
    assert _BOTH.startswith("bws_")
    assert _BOTH.removeprefix("bws_") not in _LINE
    assert digest(_BOTH).hex() in _LINE
    with pytest.raises(RequestError):
        Authorizer(parse_tokens(_LINE, "tokens")).authorize(
            [(b"authorization", b"Bearer " + digest(_BOTH).hex().encode())], Scope.SCORE
        )


_DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("desk score", "name, scopes, digest"),
        (f"desk score {_DIGEST} 2027-01-01 more", "name, scopes, digest"),
        (f"de/sk score {_DIGEST}", "a name has"),
        (f"desk score,all {_DIGEST}", "scopes are"),
        (f"desk , {_DIGEST}", "scopes are"),
        ("desk score secret-by-mistake", "not a SHA-256"),
        (f"desk score {_DIGEST} tomorrow", "2027-06-01"),
        (f"desk score {_DIGEST}\nother read {_DIGEST}", "line 2: this digest"),
    ],
)
def test_malformed_lines_are_named_and_never_repeated(line: str, match: str) -> None:
    with pytest.raises(TokenFileError, match=match) as refused:
        parse_tokens(line, "tokens")
    assert "secret-by-mistake" not in str(refused.value)


def test_settings_refuse_what_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(_FILE)
    assert Settings.from_environment({"BELLWETHER_TOKENS": f"{_LINE};{_READ_LINE}"}).tokens
    assert Settings.from_environment({"BELLWETHER_TOKENS_FILE": str(file)}).tokens_file
    for variables, match in (
        ({"BELLWETHER_TOKENS": "secret-by-mistake"}, "line 1"),
        ({"BELLWETHER_TOKENS": "# none"}, "every request would be refused"),
        ({"BELLWETHER_TOKENS_FILE": str(tmp_path / "none")}, "cannot be read"),
        ({"BELLWETHER_TOKENS": _LINE, "BELLWETHER_TOKENS_FILE": str(file)}, "set one of"),
    ):
        with pytest.raises(SettingsError, match=match) as refused:
            Settings.from_environment(variables)
        assert "secret-by-mistake" not in str(refused.value)
