"""Whatever is sent, the answer is a right one or a problem in the one shape: never a 5xx."""

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.asking import WEEKS, post, problem, student

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud800", "", "NaN", "attendance", "\x00"]),
)
_NAMES = st.one_of(
    st.sampled_from(
        ["id", "periods", "period", "students", "recommendations", "quiz", "atendance"]
    ),
    st.text(max_size=6),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)
    ),
    max_leaves=20,
)
_PERIODS = st.lists(
    st.one_of(
        st.sampled_from(WEEKS),
        st.dictionaries(st.sampled_from(["period", "attendance", "quiz", "x"]), _SCALARS),
        _SCALARS,
    ),
    max_size=10,
)
_STUDENTS = st.one_of(
    st.builds(student, st.text(max_size=4), _PERIODS),
    st.fixed_dictionaries({}, optional={"id": _SCALARS, "periods": _PERIODS, "name": _JSON}),
    _JSON,
)
_REQUESTS = st.fixed_dictionaries(
    {"students": st.one_of(st.lists(_STUDENTS, max_size=5), _JSON)},
    optional={"recommendations": st.one_of(st.booleans(), _SCALARS), "extra": _JSON},
)


def check(response: httpx.Response, request: Any = None) -> None:
    if response.status_code != 200:
        problem(response)
        return
    answer = response.json()
    assert set(answer) == {"model", "assessments", "errors"}
    assessed = {one["row"]: one["id"] for one in answer["assessments"]}
    refused = {error["row"] for error in answer["errors"]}
    assert assessed
    if request is not None:
        assert sorted([*assessed, *refused]) == list(range(len(request["students"])))
        for row, name in assessed.items():
            assert request["students"][row]["id"] == name


@SETTINGS
@given(request=_REQUESTS)
def test_anything_like_a_request_is_answered_row_by_row(http: httpx.Client, request: Any) -> None:
    check(post(http, json.dumps(request).encode()), request)


@SETTINGS
@given(value=_JSON)
def test_any_json_is_answered(http: httpx.Client, value: Any) -> None:
    check(post(http, json.dumps(value).encode()))


@SETTINGS
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered(http: httpx.Client, body: bytes) -> None:
    check(post(http, body))


@SETTINGS
@given(data=st.data())
def test_a_damaged_request_is_answered(http: httpx.Client, data: st.DataObject) -> None:
    body = bytearray(json.dumps({"students": [student("a"), student("b")]}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(post(http, bytes(body)))


@SETTINGS
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    path=st.one_of(
        st.sampled_from(["/score", "/model", "/contract", "/policy", "/readyz", "/docs.json", "/"]),
        # httpx reads a path that begins with two slashes as a host.
        st.text("abc/.%20", max_size=12).map(lambda text: "/" + text.lstrip("/")),
    ),
    claim=st.sampled_from(["application/json", "text/html", "", ";", "a/b;c=d"]),
    body=st.binary(max_size=20),
)
def test_any_method_on_any_path_is_answered(
    http: httpx.Client, method: str, path: str, claim: str, body: bytes
) -> None:
    response = http.request(method, path, content=body, headers={"content-type": claim})
    if response.status_code >= 400:
        problem(response)
