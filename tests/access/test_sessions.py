"""Sessions end when they should, can be revoked, and carry the rights in force at each request."""

from datetime import timedelta

from sqlalchemy import select

from access.glass import break_glass
from access.operation import AccessContext, operate
from access.people import disable_user, grant_role, withdraw_role
from access.roles import Grant, Principal, Role
from access.sessions import (
    SignedIn,
    delete_ended_sessions,
    end_session,
    end_sessions_of,
    find_session,
    rotate_session,
    start_session,
    touch_session,
)
from access.tables import User, UserSession
from tests.access.moments import MINUTE, NOON, MakeUser


def _start(context: AccessContext, by: Principal, user: User, old: str | None = None) -> str:
    with operate(context, by, NOON) as operation:
        return start_session(operation, user, "password", context.sessions, old)


def _find(context: AccessContext, cookie: str, after: timedelta = MINUTE) -> SignedIn | None:
    with context.database.read() as session:
        return find_session(session, cookie, context.sessions, NOON + after)


def test_a_session_carries_the_person_and_all_roles(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user("ada@example.edu", Grant(Role.LEAD, "law"), Grant(Role.ADVISER))
    found = _find(context, _start(context, command, user))
    assert found is not None
    assert found.principal.user_id == user.id
    assert set(found.principal.grants) == {Grant(Role.LEAD, "law"), Grant(Role.ADVISER)}
    assert found.principal.opened == frozenset()
    assert (found.email, found.is_confirmed, found.is_stale) == ("ada@example.edu", True, True)


def test_only_a_digest_of_the_cookie_is_stored(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    cookie = _start(context, command, make_user())
    with context.database.read() as session:
        stored = session.scalars(select(UserSession.digest)).one()
    assert cookie.encode() not in stored
    assert _find(context, stored.hex()) is None


def test_an_idle_session_ends_and_a_used_one_does_not(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    cookie = _start(context, command, make_user())
    idle = context.sessions.idle
    assert _find(context, cookie, idle - MINUTE) is not None
    assert _find(context, cookie, idle) is None
    with context.database.write() as session:
        touch_session(session, cookie, NOON + idle - MINUTE)
    assert _find(context, cookie, idle + MINUTE) is not None


def test_no_session_outlives_its_absolute_end(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    cookie = _start(context, command, make_user())
    end = context.sessions.absolute
    with context.database.write() as session:
        touch_session(session, cookie, NOON + end - MINUTE)
    last = _find(context, cookie, end - MINUTE)
    assert last is not None
    assert last.ends_at == last.expires_at == NOON + end
    assert not last.is_confirmed
    assert _find(context, cookie, end) is None


def test_signing_in_ends_the_session_that_the_browser_had(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    old = _start(context, command, user)
    new = _start(context, command, user, old)
    assert _find(context, old) is None
    assert _find(context, new) is not None


def test_rotation_replaces_the_secret_and_confirms(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    old = _start(context, command, make_user())
    later = 30 * MINUTE
    before = _find(context, old, later)
    assert before is not None
    assert not before.is_confirmed
    with operate(context, command, NOON + later) as operation:
        new = rotate_session(operation, old)
        assert rotate_session(operation, "no such cookie") is None
    assert new is not None
    assert _find(context, old, later) is None
    after = _find(context, new, later)
    assert after is not None
    assert after.is_confirmed


def test_signing_out_ends_one_session_and_revoking_ends_the_others(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    cookies = [_start(context, command, user) for _ in range(4)]
    with operate(context, command, NOON) as operation:
        end_session(operation, cookies[0])
        assert end_sessions_of(operation.session, user.id, except_cookie=cookies[1]) == 2
    assert [_find(context, one) is not None for one in cookies] == [False, True, False, False]


def test_a_disabled_person_is_out_at_once(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    cookie = _start(context, command, user)
    with operate(context, command, NOON) as operation:
        disable_user(operation, user.id)
    assert _find(context, cookie) is None


def test_roles_take_effect_and_end_without_a_new_sign_in(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user("ada@example.edu", Grant(Role.VIEWER))
    cookie = _start(context, command, user)
    with operate(context, command, NOON) as operation:
        withdraw_role(operation, user.id, Grant(Role.VIEWER))
        grant_role(operation, user.id, Grant(Role.LEAD, "law"), NOON + 10 * MINUTE)
    held, later = _find(context, cookie), _find(context, cookie, 10 * MINUTE)
    assert held is not None
    assert held.principal.grants == (Grant(Role.LEAD, "law"),)
    assert later is not None
    assert later.principal.grants == ()


def test_broken_glass_is_part_of_the_session_while_it_lasts(
    context: AccessContext, command: Principal, make_user: MakeUser, students: list[int]
) -> None:
    user = make_user("ada@example.edu", Grant(Role.ADVISER))
    cookie = _start(context, command, user)
    person = _find(context, cookie)
    assert person is not None
    with operate(context, person.principal, NOON) as operation:
        for student in students[:2]:
            break_glass(operation, student, "covering for a colleague who is ill")
    held = _find(context, cookie)
    assert held is not None
    assert held.principal.opened == {1, 2}
    assert held.principal.grants == (Grant(Role.ADVISER),)
    with context.database.write() as session:
        touch_session(session, cookie, NOON + 50 * MINUTE)
    later = _find(context, cookie, 60 * MINUTE)
    assert later is not None
    assert later.principal.opened == frozenset()


def test_cleaning_up_deletes_ended_sessions_only(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    _start(context, command, user)
    used = _start(context, command, user)
    now = NOON + context.sessions.idle
    with context.database.write() as session:
        touch_session(session, used, now - MINUTE)
        delete_ended_sessions(session, context.sessions, now)
        assert len(session.scalars(select(UserSession.digest)).all()) == 1
    assert _find(context, used, context.sessions.idle) is not None
