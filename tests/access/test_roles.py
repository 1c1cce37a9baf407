"""Rights are the union of roles, and a scope never exceeds what the roles permit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.roles import (
    ANONYMOUS,
    PEOPLE_ONLY,
    PERMISSIONS,
    TOKEN_SCOPES,
    Action,
    Extent,
    Grant,
    Kind,
    Principal,
    Role,
    permits,
    scope_of,
    system,
)
from cases.scope import Scope

_GRANTS = st.lists(
    st.builds(Grant, st.sampled_from(Role), st.none() | st.sampled_from(["law", "physics"])),
    max_size=4,
)


def _person(*grants: Grant, opened: frozenset[int] = frozenset()) -> Principal:
    return Principal(Kind.PERSON, "7", "Ada", 7, grants=grants, opened=opened)


def test_an_adviser_reaches_assigned_students_only() -> None:
    adviser = _person(Grant(Role.ADVISER))
    assert scope_of(adviser, Action.VIEW_STUDENTS) == Scope.of(user_id=7)
    assert scope_of(adviser, Action.CHANGE_CASES) == Scope.of(user_id=7)
    assert not permits(adviser, Action.RUN_IMPORTS)


def test_a_lead_reaches_the_programme_of_the_grant() -> None:
    lead = _person(Grant(Role.LEAD, "law"), Grant(Role.LEAD, "physics"))
    assert scope_of(lead, Action.VIEW_STUDENTS) == Scope.of(programmes=["law", "physics"])
    everywhere = _person(Grant(Role.LEAD))
    assert scope_of(everywhere, Action.VIEW_STUDENTS) == Scope.all_students()


def test_a_lead_who_tutors_sees_both() -> None:
    both = _person(Grant(Role.LEAD, "law"), Grant(Role.ADVISER))
    assert scope_of(both, Action.VIEW_STUDENTS) == Scope.of(programmes=["law"], user_id=7)


def test_a_viewer_changes_nothing() -> None:
    viewer = _person(Grant(Role.VIEWER, "law"))
    assert {one for one in Action if permits(viewer, one)} == {
        Action.VIEW_STUDENTS,
        Action.VIEW_COHORTS,
        Action.VIEW_MODEL,
        Action.VIEW_POLICY,
    }


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR])
def test_those_who_run_or_audit_the_desk_see_no_student(role: Role) -> None:
    person = _person(Grant(role))
    assert not permits(person, Action.VIEW_STUDENTS)
    assert scope_of(person, Action.VIEW_STUDENTS) == Scope.nobody()
    assert scope_of(person, Action.VIEW_COHORTS) == Scope.all_students()


def test_broken_glass_opens_one_student_for_reading() -> None:
    adviser = _person(Grant(Role.ADVISER), opened=frozenset({42}))
    assert scope_of(adviser, Action.VIEW_STUDENTS) == Scope.of(user_id=7, students=[42])
    assert scope_of(adviser, Action.CHANGE_CASES) == Scope.of(user_id=7)


def test_who_has_not_signed_in_may_do_nothing() -> None:
    student = Principal(Kind.STUDENT, "student", "Student")
    for action in Action:
        for nobody in (ANONYMOUS, student, _person()):
            assert not permits(nobody, action)
            assert scope_of(nobody, action) == Scope.nobody()


def test_a_token_holds_its_scopes_and_never_what_is_for_people() -> None:
    token = Principal(Kind.PROGRAM, "t", "Sync", scopes=frozenset(Action))
    assert {one for one in Action if permits(token, one)} == TOKEN_SCOPES
    assert not TOKEN_SCOPES & PEOPLE_ONLY
    limited = Principal(
        Kind.PROGRAM,
        "t",
        "Sync",
        scopes=frozenset({Action.VIEW_STUDENTS}),
        programmes=frozenset({"law"}),
    )
    assert scope_of(limited, Action.VIEW_STUDENTS) == Scope.of(programmes=["law"])
    assert scope_of(limited, Action.VIEW_COHORTS) == Scope.nobody()


def test_the_desk_itself_may_do_everything() -> None:
    assert all(scope_of(system("tick"), one).everyone for one in Action)


@given(grants=_GRANTS, action=st.sampled_from(Action))
def test_a_scope_is_the_union_over_grants(grants: list[Grant], action: Action) -> None:
    """One more role never takes anything away, and nothing comes from nowhere."""
    whole = scope_of(_person(*grants), action)
    alone = [scope_of(_person(grant), action) for grant in grants]
    assert whole.everyone == any(one.everyone for one in alone)
    assert whole.programmes == frozenset().union(*(one.programmes for one in alone))
    assert (whole.user_id is not None) == any(one.user_id is not None for one in alone)
    assert permits(_person(*grants), action) == any(
        action in PERMISSIONS[grant.role] for grant in grants
    )


def test_a_grant_for_one_programme_never_reaches_everyone_by_programme() -> None:
    for role, actions in PERMISSIONS.items():
        for action, extent in actions.items():
            scope = scope_of(_person(Grant(role, "law")), action)
            assert scope.everyone == (extent is Extent.EVERYONE), (role, action)
