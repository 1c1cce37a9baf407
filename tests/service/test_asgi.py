"""What clients meet over HTTP: answers, and one shape for every error of every route."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.service.asking import WEEKS, kind, post, problem, score, student
from tests.service.links import connected, until
from tests.service.running import Running


def test_a_student_gets_an_assessment(http: httpx.Client) -> None:
    response = score(http, student())
    [assessment] = response.json()["assessments"]

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert assessment["id"] == "s-1"
    assert assessment["row"] == 0
    assert assessment["status"] == "assessed"
    assert assessment["period"] == 3
    assert 0 <= assessment["risk"] <= 1
    assert assessment["tier"] in {"low", "moderate", "high"}
    assert assessment["trajectory"][-1] == {"period": 3, "risk": assessment["risk"]}
    assert response.json()["errors"] == []


def test_the_answer_says_which_model_gave_it(http: httpx.Client) -> None:
    stamp = score(http, student()).json()["model"]

    assert stamp == http.get("/model").json()["model"]
    assert stamp["contract"] == "simulated"
    assert len(stamp["version"]) == 12


def test_recommendations_can_be_left_out(http: httpx.Client) -> None:
    [assessment] = score(http, student(), recommendations=False).json()["assessments"]

    assert assessment["recommendations"] == []


def test_too_little_data_gives_no_tier(http: httpx.Client) -> None:
    [assessment] = score(http, student(periods=[{"period": 1}])).json()["assessments"]

    assert assessment["status"] == "not_enough_data"
    assert assessment["tier"] is None
    assert assessment["recommendations"] == []


def test_a_faulty_student_changes_nothing_for_the_others(http: httpx.Client) -> None:
    faulty = student("s-2", [{"period": 1, "attendance": 101}])
    alone = score(http, student()).json()["assessments"][0]
    together = score(http, faulty, student(), "no student").json()

    assert together["assessments"] == [alone | {"row": 1}]
    assert [(error["row"], error["field"], error["code"]) for error in together["errors"]] == [
        (0, "periods[0].attendance", "out_of_range"),
        (2, None, "wrong_type"),
    ]


def test_no_student_scored_is_a_refusal_that_says_why(http: httpx.Client) -> None:
    body = problem(score(http, student(periods=[]), student(periods=[{"period": 9}])), 422)

    assert kind(body) == "invalid-students"
    assert [(error["row"], error["code"]) for error in body["errors"]] == [
        (0, "empty_list"),
        (1, "out_of_range"),
    ]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_found_and_the_others_are_scored(
    http: httpx.Client, literal: str
) -> None:
    body = json.dumps({"students": [student("a"), student("b", [WEEKS[0] | {"quiz": 1.25}])]})
    response = post(http, body.replace("1.25", literal).encode())

    assert response.status_code == 200
    assert [assessment["id"] for assessment in response.json()["assessments"]] == ["a"]
    [error] = response.json()["errors"]
    assert (error["row"], error["field"], error["code"]) == (1, "periods[0].quiz", "not_finite")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"hello", 400, "malformed_json"),
        (b'{"students": [', 400, "malformed_json"),
        (b'{"students": []} and more', 400, "malformed_json"),
        (b'{"students": [{"id": "\xff\xfe"}]}', 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        ('{"students": []}'.encode("utf-16"), 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"students":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, "malformed_json"),
        (b"null", 422, "wrong_type"),
        (b"[]", 422, "wrong_type"),
        (b"3", 422, "wrong_type"),
        (b'"students"', 422, "wrong_type"),
        (b"9" * 100_000, 422, "wrong_type"),
        (b"{}", 422, "missing_field"),
        (b'{"students": {}}', 422, "wrong_type"),
        (b'{"students": null}', 422, "wrong_type"),
        (b'{"students": []}', 422, "empty_list"),
        (b'{"students": [1], "recommendations": 1}', 422, "wrong_type"),
        (b'{"student": []}', 422, "unknown_field"),
        (b'{"students": [1], "debug": true}', 422, "unknown_field"),
        (b'{"students": [' + b"9" * 10_000 + b"]}", 422, "wrong_type"),
        (b'{"students": [{"id": "\\ud800", "periods": [{"period": 1}]}]}', 422, "not_text"),
        (b'{"students": [' + b"0," * 500 + b"0]}", 422, "too_many_students"),
    ],
)
def test_what_is_no_request_is_refused_precisely(
    http: httpx.Client, body: bytes, status: int, code: str
) -> None:
    refused = problem(post(http, body), status)

    assert refused["errors"][0]["code"] == code


def test_malformed_json_is_located_by_byte(http: httpx.Client) -> None:
    body = '{"students": [{"id": "é", "periods": ?}]}'.encode()

    assert f"at byte {body.index(b'?')}" in problem(post(http, body), 400)["detail"]


@pytest.mark.parametrize("literal", [b'"a\nb"', b'"ab'])
def test_text_that_is_none_is_located_in_plain_words(http: httpx.Client, literal: bytes) -> None:
    detail = problem(post(http, b'{"students": [' + literal), 400)["detail"]

    assert " at byte " in detail
    assert "at at" not in detail


def test_a_misspelt_field_of_the_request_gets_the_one_that_was_meant(http: httpx.Client) -> None:
    assert "did you mean `students`?" in problem(post(http, b'{"studnets": []}'), 422)["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_not_plain_json_is_not_taken(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    assert kind(problem(post(http, b"{}", **headers), 415)) == "unsupported-media-type"


@pytest.mark.parametrize("claim", ["application/json; charset=utf-8", "Application/JSON", None])
def test_json_may_be_claimed_in_any_usual_way(http: httpx.Client, claim: str | None) -> None:
    headers = {"content-type": claim} if claim else {}
    body = json.dumps({"students": [student()]}).encode()

    assert http.post("/score", content=body, headers=headers).status_code == 200


def test_ten_megabytes_of_garbage_are_refused(http: httpx.Client) -> None:
    refused = problem(post(http, b"\x00\xff garbage" * 1_000_000), 413)

    assert "1,048,576 bytes" in refused["detail"]
    assert score(http, student()).status_code == 200


def test_a_body_without_a_declared_length_is_limited_too(http: httpx.Client) -> None:
    def chunks() -> Any:
        for _ in range(40):
            yield b" " * 2**16

    headers = {"content-type": "application/json"}
    problem(http.post("/score", content=chunks(), headers=headers), 413)


def test_a_body_in_chunks_is_put_together(http: httpx.Client) -> None:
    body = json.dumps({"students": [student()]}).encode()
    chunks = (body[at : at + 7] for at in range(0, len(body), 7))

    assert (
        http.post(
            "/score", content=chunks, headers={"content-type": "application/json"}
        ).status_code
        == 200
    )


def test_an_endless_body_is_given_up(server: Running) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as link:
        head = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        link.sendall(head.encode())
        answer = link.recv(4096)

    assert b" 413 " in answer.splitlines()[0]


def test_a_client_that_hangs_up_halfway_harms_nobody(server: Running, http: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"stu')

    assert score(http, student()).status_code == 200
    assert "Traceback" not in server.said()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/score", "POST"),
        ("DELETE", "/score", "POST"),
        ("PUT", "/contract", "GET, HEAD, POST"),
        ("POST", "/readyz", "GET, HEAD"),
        ("PATCH", "/docs.json", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/static_content/swagger-ui.css", "GET, HEAD"),
    ],
)
def test_a_wrong_method_gets_the_right_ones(
    http: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = http.request(method, path)

    assert kind(problem(response, 405)) == "method-not-allowed"
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/scores", "/score/", "/admin", "/%00", "/static_content/x.js"])
def test_an_unknown_path_is_a_problem_like_any_other(http: httpx.Client, path: str) -> None:
    assert kind(problem(http.get(path), 404)) == "not-found"


def test_paths_that_nobody_has_leave_no_trace_in_figures_or_log(
    server: Running, http: httpx.Client
) -> None:
    for path in ("/s-4711", "/static_content/s-4711", "/static_content/%0As-4711/%00"):
        problem(http.get(path), 404)

    assert "4711" not in http.get("/metrics").text
    assert "4711" not in server.said()


def test_contract_policy_and_model_are_answered_to_get_and_post(http: httpx.Client) -> None:
    for path in ("/contract", "/policy", "/model"):
        got = http.get(path)
        assert got.status_code == 200
        assert got.json() == http.post(path).json()
        assert http.head(path).headers["content-length"] == got.headers["content-length"]


def test_the_contract_names_every_feature(http: httpx.Client) -> None:
    names = [feature["name"] for feature in http.get("/contract").json()["features"]]

    assert names == ["attendance", "assignments", "internal_marks", "quiz", "engagement"]


def test_the_policy_speaks_its_own_file_format(http: httpx.Client) -> None:
    assert [tier["from"] for tier in http.get("/policy").json()["tiers"]] == [0.0, 0.4, 0.7]


def test_the_page_loads_nothing_from_other_hosts(http: httpx.Client) -> None:
    page = http.get("/docs")

    assert page.text == http.get("/").text
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("<!--", "").replace("://www.w3.org", "")
    for source in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"):
        assert source in page.text
        assert http.get(f"/static_content/{source}").status_code == 200


def test_a_websocket_handshake_is_answered_as_if_it_asked_for_no_upgrade(server: Running) -> None:
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }

    assert problem(httpx.get(server.url + "/score", headers=headers), 405)["status"] == 405


def test_parallel_clients_each_get_their_own_answers(server: Running, http: httpx.Client) -> None:
    """Random histories, alone and in large requests, all at once: no client gets another's answer."""
    requests = [
        [
            student(f"s-{number}-{row}", [
                {"period": 1, "attendance": (number * 37 + row * 11) % 101, "quiz": number % 101},
                {"period": 2 + row % 3, "attendance": (row * 53 + number) % 101, "assignments": 9},
            ])
            for row in range(1 if number % 4 else 200)
        ]
        for number in range(120)
    ]  # fmt: skip
    expected = [score(http, *students).json()["assessments"] for students in requests]

    def ask(numbers: range) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for number in numbers:
                got = score(client, *requests[number]).json()["assessments"]
                assert [one["id"] for one in got] == [one["id"] for one in requests[number]]
                assert got == expected[number]

    with ThreadPoolExecutor(12) as clients:
        for done in [clients.submit(ask, range(start, 120, 12)) for start in range(12)]:
            done.result()


def test_no_value_of_a_student_reaches_the_log(server: Running, http: httpx.Client) -> None:
    marker = 418_418_418
    for value in (f"secret-{marker}", marker, [marker], {"x": marker}):
        score(http, student(periods=[{"period": 1, "attendance": value}]))
        score(http, {"id": value, "periods": [{"period": value}]})
    post(http, b'{"students": [{"id": "secret-418418418", "periods": 418418418')

    assert str(marker) not in server.said()


@pytest.mark.parametrize(
    "path",
    ["/score", "/score/bulk", "/model", "/docs", "/livez", "/readyz", "/metrics", "/nothing"],
)
def test_browsers_are_told_neither_to_guess_nor_to_frame_any_response(
    http: httpx.Client, path: str
) -> None:
    for method in ("GET", "POST"):
        headers = http.request(method, path).headers
        assert headers.get_list("x-content-type-options") == ["nosniff"]
        assert headers.get_list("x-frame-options") == ["DENY"]
        assert headers.get_list("referrer-policy") == ["no-referrer"]


def test_a_client_that_hangs_up_during_its_answer_is_counted_and_leaves_no_traceback(
    server: Running, http: httpx.Client
) -> None:
    def counted() -> int:
        page = http.get("/metrics").text
        found = re.search(r'requests_total{route="/score/bulk",status="499"} (\d+)', page)
        return int(found[1]) if found else 0

    before = counted()
    table = b"id,period,quiz\n" + b"".join(b"s-%d,1,50\n" % row for row in range(100_000))
    head = f"POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(table)}"
    with connected(server) as link:
        link.sendall(f"{head}\r\n\r\n".encode() + table)
        assert link.recv(100).startswith(b"HTTP/1.1 200 ")  # and there is far more of it
    until(lambda: counted() == before + 1)
    assert "Traceback" not in server.said()
