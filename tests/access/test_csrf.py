"""Requests that another site caused are refused; those of the desk's own pages pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.csrf import check_request, check_source, form_token, is_form_token
from access.errors import ForgedRequestError

_OWN = "https://desk.example.edu"
_COOKIE = "q8Zp0nWZ3b0cC9j3WmX1"


@given(cookie=st.text(min_size=1), other=st.text(min_size=1))
def test_a_token_fits_its_own_session_only(cookie: str, other: str) -> None:
    assert is_form_token(cookie, form_token(cookie))
    assert is_form_token(other, form_token(cookie)) == (cookie == other)


def test_the_token_does_not_contain_the_cookie() -> None:
    assert _COOKIE not in form_token(_COOKIE)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN"])
def test_the_browser_s_own_word_decides(site: str) -> None:
    headers = {"sec-fetch-site": site, "origin": _OWN}
    with pytest.raises(ForgedRequestError):
        check_source(headers, _OWN)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://desk.example.edu"},
        {"origin": "https://desk.example.edu:8443"},
        {"origin": "https://desk.example.edu.evil.example"},
        {"origin": "null"},
        {"origin": "https://["},
        {"referer": "https://evil.example/?https://desk.example.edu"},
    ],
)
def test_other_origins_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ForgedRequestError):
        check_source(headers, _OWN)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "https://desk.example.edu"},
        {"origin": "https://DESK.example.edu:443"},
        {"referer": "https://desk.example.edu/students/7"},
        {},
    ],
)
def test_own_pages_and_old_programs_pass_the_source_check(headers: dict[str, str]) -> None:
    check_source(headers, _OWN)


@pytest.mark.parametrize("given_token", [None, "", "x", form_token("another session")])
def test_a_change_needs_the_session_s_token(given_token: str | None) -> None:
    headers = {"sec-fetch-site": "same-origin"}
    with pytest.raises(ForgedRequestError):
        check_request("POST", headers, _OWN, _COOKIE, given_token)


def test_a_token_of_no_session_is_no_token() -> None:
    with pytest.raises(ForgedRequestError):
        check_request("POST", {"sec-fetch-site": "same-origin"}, _OWN, "", form_token(""))


def test_a_token_does_not_excuse_another_site() -> None:
    headers = {"sec-fetch-site": "cross-site"}
    with pytest.raises(ForgedRequestError):
        check_request("post", headers, _OWN, _COOKIE, form_token(_COOKIE))


def test_own_forms_and_safe_methods_pass() -> None:
    check_request("POST", {"origin": _OWN}, _OWN, _COOKIE, form_token(_COOKIE))
    for method in ("GET", "HEAD", "OPTIONS"):
        check_request(method, {"sec-fetch-site": "cross-site"}, _OWN, _COOKIE, None)
