"""Send students, and check what every error answer must look like."""

from typing import Any

import httpx

FIELDS = {"type", "title", "status", "detail", "errors"}
WEEKS: list[dict[str, Any]] = [
    {"period": 1, "attendance": 92, "assignments": 80, "quiz": 71.5, "engagement": 8},
    {"period": 2, "attendance": 61, "assignments": 55, "quiz": None, "engagement": 4.5},
    {"period": 3, "attendance": 35, "assignments": 30, "quiz": 22.0, "engagement": 2},
]


def student(name: str = "s-1", periods: Any = None) -> dict[str, Any]:
    """Make up a student of the contract 'simulated'."""
    return {"id": name, "periods": WEEKS if periods is None else periods}


def score(http: httpx.Client, *students: Any, **more: Any) -> httpx.Response:
    """Send a `score` request."""
    return http.post("/score", json={"students": list(students), **more})


def post(http: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    """Send raw bytes to `score`."""
    return http.post(
        "/score", content=body, headers={"content-type": "application/json", **headers}
    )


def problem(response: httpx.Response, status: int | None = None) -> dict[str, Any]:
    """Return the problem of an error answer, once it has the one shape."""
    if status is not None:
        assert response.status_code == status, response.text
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) == FIELDS
    assert body["status"] == response.status_code
    assert body["type"].startswith("urn:bellwether:problem:")
    assert body["title"]
    assert body["detail"]
    for error in body["errors"]:
        assert set(error) == {"row", "field", "code", "message"}
        assert error["message"]
    return body


def kind(body: dict[str, Any]) -> str:
    """Return the last part of a problem's type."""
    return str(body["type"]).rsplit(":", maxsplit=1)[-1]
