from access.operation import operate
from access.people import find_user
from access.roles import system
from access.sign_in.links import Purpose, create_link
from access.sign_in.recovery import set_password
from desk.security import CONTENT_SECURITY_POLICY
from tests.desk.conftest import ADVISER
from tests.desk.running_desk import RunningDesk

PASSWORD = "seven green bottles hang"  # noqa: S105 - of an account that exists here only


def test_a_page_asks_who_has_not_signed_in_to_do_so_and_comes_back(empty_desk: RunningDesk) -> None:
    with empty_desk.visitor() as visitor:
        answer = visitor.get("/worklist?tier=high")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?back=%2Fworklist%3Ftier%3Dhigh"


def test_a_one_time_link_signs_in_once_by_its_button(empty_desk: RunningDesk) -> None:
    secret = empty_desk.link_for(ADVISER)
    with empty_desk.visitor() as scanner:
        assert scanner.get(f"/sign-in/link/{secret}").status_code == 200
    with empty_desk.visitor() as person:
        person.get(f"/sign-in/link/{secret}")
        assert person.post("/sign-in/link", secret=secret).status_code == 303
        assert person.get("/").status_code == 303
    with empty_desk.visitor() as late:
        assert late.get(f"/sign-in/link/{secret}").status_code == 404


def test_address_and_password_sign_in_and_the_form_returns_where_it_began(
    empty_desk: RunningDesk,
) -> None:
    access = empty_desk.desk.access
    with operate(access, system("tests")) as operation:
        user = find_user(operation.session, ADVISER)
        assert user is not None
        invitation = create_link(operation, user.id, Purpose.INVITATION)
    set_password(access, invitation, Purpose.INVITATION, PASSWORD)
    with empty_desk.visitor() as person:
        page = person.get("/sign-in?back=/worklist")
        assert "current-password" in page.text
        wrong = person.post("/sign-in", email=ADVISER, password="x", back="/worklist")  # noqa: S106
        assert wrong.status_code == 403
        assert 'value="x"' not in wrong.text
        right = person.post("/sign-in", email=ADVISER, password=PASSWORD, back="/worklist")
        assert (right.status_code, right.headers["location"]) == (303, "/worklist")


def test_a_form_without_token_or_from_another_site_is_refused(empty_desk: RunningDesk) -> None:
    with empty_desk.signed_in(ADVISER) as person:
        person.get("/preferences")
        assert person.http.post("/sign-out", data={}).status_code == 403
        foreign = person.http.post(
            "/sign-out",
            data={"csrf_token": person.token},
            headers={"sec-fetch-site": "cross-site"},
        )
        assert foreign.status_code == 403
        assert person.get("/").status_code == 303  # still signed in


def test_signing_out_ends_the_session_on_the_server(empty_desk: RunningDesk) -> None:
    with empty_desk.signed_in(ADVISER) as person:
        cookie = dict(person.http.cookies)
        person.get("/worklist")
        assert person.post("/sign-out").headers["location"] == "/sign-in?done=signed-out"
        person.http.cookies.update(cookie)
        assert person.get("/worklist").headers["location"].startswith("/sign-in")


def test_nobody_is_led_to_another_host_after_signing_in(empty_desk: RunningDesk) -> None:
    for elsewhere in ("https://example.com/", "//example.com", "/\\example.com", "javascript:1"):
        with empty_desk.signed_in(ADVISER) as person:
            answer = person.get("/sign-in", params={"back": elsewhere})
            assert answer.headers["location"] == "/"


def test_every_answer_carries_the_security_headers(empty_desk: RunningDesk) -> None:
    with empty_desk.visitor() as visitor:
        for path in ("/sign-in", "/nowhere", "/static/desk.css", "/livez", "/readyz"):
            headers = visitor.get(path).headers
            assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
        assert visitor.get("/sign-in").headers["cache-control"] == "no-store"


def test_language_and_appearance_follow_the_choice_of_the_browser(empty_desk: RunningDesk) -> None:
    with empty_desk.visitor() as visitor:
        german = visitor.get("/sign-in", headers={"accept-language": "fr, de;q=0.8, en;q=0.1"})
        assert 'lang="de"' in german.text
        visitor.get("/sign-in")
        answer = visitor.post("/preferences", theme="dark", language="de", back="/sign-in")
        assert answer.status_code == 303
        page = visitor.get("/sign-in").text
        assert 'data-theme="dark"' in page
        assert 'lang="de"' in page
        assert "Anmelden" in page


def test_a_form_that_is_too_large_or_without_length_is_not_read(empty_desk: RunningDesk) -> None:
    with empty_desk.visitor() as visitor:
        assert visitor.post("/sign-in", email="x" * 300_000).status_code == 413
        chunked = visitor.http.post("/sign-in", content=iter([b"email=a"]))
        assert chunked.status_code == 411
