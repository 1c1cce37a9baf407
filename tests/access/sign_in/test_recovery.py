"""Passwords are set by links that work once; sessions that the old one opened end."""

import pytest

from access.errors import SignInRefusedError, TooManyAttemptsError, WeakPasswordError
from access.operation import AccessContext, operate
from access.people import disable_user
from access.roles import Principal
from access.sessions import find_session
from access.sign_in.flow import SignIn, Started
from access.sign_in.links import (
    LIFETIMES,
    Purpose,
    create_link,
    delete_expired_links,
    find_link,
    redeem_link,
)
from access.sign_in.passwords import check_new_password, verify_password
from access.sign_in.recovery import change_password, request_reset, set_password
from access.sign_in.throttle import Browser
from access.tables import User
from tests.access.moments import MINUTE, NOON, PASSWORD, MakeUser

_BROWSER = Browser("192.0.2.7")
_NEW = "three otters under the bridge"


def _link(context: AccessContext, command: Principal, user: User, purpose: Purpose) -> str:
    with operate(context, command, NOON) as operation:
        return create_link(operation, user.id, purpose)


def _sign_in(context: AccessContext, password: str) -> str:
    started = SignIn(context).with_password("ada@example.edu", password, _BROWSER, NOON)
    assert isinstance(started, Started)
    return started.cookie


@pytest.mark.parametrize("purpose", [Purpose.INVITATION, Purpose.RESET])
def test_a_link_sets_the_password_once_and_ends_all_sessions(
    context: AccessContext, command: Principal, make_user: MakeUser, purpose: Purpose
) -> None:
    user = make_user()
    cookie = _sign_in(context, PASSWORD)
    secret = _link(context, command, user, purpose)
    set_password(context, secret, purpose, _NEW, NOON)
    with context.database.read() as session:
        assert find_session(session, cookie, context.sessions, NOON) is None
    _sign_in(context, _NEW)
    with pytest.raises(SignInRefusedError):
        _sign_in(context, PASSWORD)
    with pytest.raises(SignInRefusedError):
        set_password(context, secret, purpose, _NEW, NOON)


def test_a_weak_password_leaves_the_link_usable(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    secret = _link(context, command, make_user(), Purpose.RESET)
    with pytest.raises(WeakPasswordError):
        set_password(context, secret, Purpose.RESET, "short", NOON)
    set_password(context, secret, Purpose.RESET, _NEW, NOON)


@pytest.mark.parametrize("purpose", Purpose)
def test_links_expire_and_serve_their_own_purpose_only(
    context: AccessContext, command: Principal, make_user: MakeUser, purpose: Purpose
) -> None:
    user = make_user()
    secret = _link(context, command, user, purpose)
    end = NOON + LIFETIMES[purpose]
    with context.database.write() as session:
        for other in Purpose:
            found = find_link(session, secret, other, NOON)
            assert (found is not None) == (other is purpose)
        assert find_link(session, secret, purpose, end) is None
        assert find_link(session, secret + "x", purpose, NOON) is None
        delete_expired_links(session, end - MINUTE)
        assert find_link(session, secret, purpose, NOON) is not None
        delete_expired_links(session, end)
        assert find_link(session, secret, purpose, NOON) is None


def test_looking_a_link_up_does_not_use_it_and_a_new_one_replaces_it(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    old = _link(context, command, user, Purpose.RESET)
    invitation = _link(context, command, user, Purpose.INVITATION)
    new = _link(context, command, user, Purpose.RESET)
    with operate(context, command, NOON) as operation:
        assert find_link(operation.session, old, Purpose.RESET, NOON) is None
        for _ in range(2):
            assert find_link(operation.session, new, Purpose.RESET, NOON) is not None
        assert redeem_link(operation, new, Purpose.RESET).id == user.id
        assert redeem_link(operation, invitation, Purpose.INVITATION).id == user.id


def test_links_of_a_disabled_person_do_not_work(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    secret = _link(context, command, user, Purpose.SIGN_IN)
    with operate(context, command, NOON) as operation:
        disable_user(operation, user.id)
    later = _link(context, command, user, Purpose.SIGN_IN)
    for one in (secret, later):
        with pytest.raises(SignInRefusedError):
            SignIn(context).with_link(one, _BROWSER, NOON)


def test_changing_the_password_needs_the_old_one_and_keeps_this_session_only(
    context: AccessContext, make_user: MakeUser
) -> None:
    user = make_user()
    here, elsewhere = _sign_in(context, PASSWORD), _sign_in(context, PASSWORD)
    browser = Browser("192.0.2.7", here)
    with pytest.raises(SignInRefusedError):
        change_password(context, user.id, browser, old="wrong", new=_NEW, at=NOON)
    change_password(context, user.id, browser, old=PASSWORD, new=_NEW, at=NOON)
    with context.database.read() as session:
        found = [find_session(session, one, context.sessions, NOON) for one in (here, elsewhere)]
    assert [one is not None for one in found] == [True, False]
    _sign_in(context, _NEW)


def test_a_reset_is_made_for_real_accounts_only_and_not_too_often(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    make_user()
    out = make_user("out@example.edu")
    with operate(context, command, NOON) as operation:
        disable_user(operation, out.id)
    secret = request_reset(context, "Ada@example.edu", _BROWSER, NOON)
    assert secret is not None
    set_password(context, secret, Purpose.RESET, _NEW, NOON)
    assert request_reset(context, "nobody@example.edu", _BROWSER, NOON) is None
    assert request_reset(context, "out@example.edu", _BROWSER, NOON) is None
    for number in range(5):
        request_reset(context, "ada@example.edu", Browser(f"192.0.2.{number}"), NOON)
    with pytest.raises(TooManyAttemptsError):
        request_reset(context, "ada@example.edu", Browser("192.0.2.99"), NOON)


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "x" * 129,
        "password12345",
        "1Q2W3E4R5T6Y",
        "aaaaaaaaaaaab",
        "abcabcabcabcabc",
        "abcdefghijklmnop",
        "ada.byron@example",
        "Ada Byron 1815",
        "bellwether-ada",
    ],
)
def test_passwords_that_are_tried_first_are_refused(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        check_new_password(password, "ada.byron@example.edu", "Ada Byron")


@pytest.mark.parametrize("password", [PASSWORD, _NEW, "пятнадцать синих птиц", "  q7#Lk!v9 z2 "])
def test_any_other_characters_make_a_password(password: str) -> None:
    check_new_password(password, "ada.byron@example.edu", "Ada Byron")


def test_hashes_are_salted_argon2id_and_compare_exactly(password_hash: str) -> None:
    assert password_hash.startswith("$argon2id$v=19$m=65536,t=2,p=1$")
    assert verify_password(password_hash, PASSWORD)
    assert not verify_password(password_hash, PASSWORD + " ")
    assert not verify_password(None, "no account has this password")
    assert not verify_password("not a hash", PASSWORD)
