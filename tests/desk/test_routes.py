"""Every route for every role: who may not, gets no page; who may, gets no error of ours."""

import re
from collections.abc import Iterator

import pytest

from access.roles import PERMISSIONS, Action, Role
from desk.dispatch import Route
from desk.routes import ROUTES
from tests.desk.institution import PEOPLE, Institution, address
from tests.desk.running_desk import Visitor

ROLES = {person: tuple(grant.role for grant in grants) for person, (_, grants) in PEOPLE.items()}
GUARDED = [route for route in ROUTES if not route.is_public]
CHECKED = [
    (route, method, person)
    for route in GUARDED
    if route.path != "/sign-out"
    for method in route.methods
    for person in PEOPLE
]


@pytest.fixture(scope="module")
def visitors(institution: Institution) -> Iterator[dict[str, Visitor]]:
    """Everybody, signed in."""
    signed_in = {person: institution.running.signed_in(address(person)) for person in PEOPLE}
    for visitor in signed_in.values():
        visitor.get("/sign-in/link/none")
        visitor.get("/students/0")
    yield signed_in
    for visitor in signed_in.values():
        visitor.close()


def _may(roles: tuple[Role, ...], action: Action | None) -> bool:
    return action is None or any(action in PERMISSIONS[role] for role in roles)


def _path(route: Route, institution: Institution) -> str:
    return re.sub(r"\{\w+\}", str(institution.students[0]), route.path)


@pytest.mark.parametrize(
    ("route", "method", "person"),
    CHECKED,
    ids=[f"{method} {route.path} as {person}" for route, method, person in CHECKED],
)
def test_a_route_answers_those_alone_whose_role_includes_it(
    institution: Institution,
    visitors: dict[str, Visitor],
    route: Route,
    method: str,
    person: str,
) -> None:
    visitor, path = visitors[person], _path(route, institution)
    answer = visitor.get(path) if method == "GET" else visitor.post(path)
    assert answer.status_code < 500
    assert (answer.status_code == 403) is not _may(ROLES[person], route.action)


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.methods[0]} {route.path}")
def test_without_a_session_every_page_leads_to_signing_in(
    institution: Institution, route: Route
) -> None:
    path = _path(route, institution)
    with institution.running.visitor() as stranger:
        answer = stranger.get(path) if "GET" in route.methods else stranger.post(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/students/{}", "/students/{}/together", "/students/{}/meeting"])
@pytest.mark.parametrize("person", ["adviser", "lead", "viewer"])
def test_a_page_of_a_student_outside_ones_scope_does_not_exist(
    institution: Institution, visitors: dict[str, Visitor], path: str, person: str
) -> None:
    # Assigned to the other adviser, in the other programme.
    student = institution.students[3]
    assert visitors[person].get(path.format(student)).status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30, "1%00", "../1"])
def test_an_address_with_an_odd_number_is_no_page(
    visitors: dict[str, Visitor], number: str
) -> None:
    assert visitors["adviser"].get(f"/students/{number}").status_code == 404
