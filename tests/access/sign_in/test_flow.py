"""Signing in by password, code and link: what opens an account, and that nothing tells which accounts exist."""

from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import func, select

from access.audit.read import Chosen, list_entries
from access.errors import AccessError, SecretError, SignInRefusedError, TooManyAttemptsError
from access.keys import DeskKeys
from access.operation import AccessContext, AttemptLimits, operate
from access.people import disable_user, get_user
from access.roles import Principal
from access.sessions import find_session
from access.sign_in import flow, passwords
from access.sign_in.flow import CodeNeeded, SignIn, Started
from access.sign_in.links import Purpose, create_link
from access.sign_in.throttle import WINDOW, Browser
from access.sign_in.totp import disable_totp, enable_totp, new_totp_secret, totp_uri
from access.tables import Attempt, User
from tests.access.moments import MINUTE, NOON, PASSWORD, MakeUser

_BROWSER = Browser("192.0.2.7")
_STEP = timedelta(seconds=30)


def _is_open(context: AccessContext, cookie: str) -> bool:
    with context.database.read() as session:
        return find_session(session, cookie, context.sessions, NOON + MINUTE) is not None


def _with_totp(context: AccessContext, command: Principal, user: User) -> pyotp.TOTP:
    secret = new_totp_secret()
    totp = pyotp.TOTP(secret)
    with operate(context, command, NOON) as operation:
        enable_totp(operation, user.id, secret, totp.at(NOON - _STEP))
    return totp


def test_the_right_password_opens_a_session(context: AccessContext, make_user: MakeUser) -> None:
    make_user()
    started = SignIn(context).with_password(" ADA@example.edu ", PASSWORD, _BROWSER, NOON)
    assert isinstance(started, Started)
    assert _is_open(context, started.cookie)


def test_signing_in_ends_the_browser_s_old_session(
    context: AccessContext, make_user: MakeUser
) -> None:
    make_user()
    sign_in = SignIn(context)
    first = sign_in.with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    assert isinstance(first, Started)
    again = Browser("192.0.2.7", first.cookie)
    sign_in.with_password("ada@example.edu", PASSWORD, again, NOON)
    assert not _is_open(context, first.cookie)


def test_all_refusals_look_the_same_and_take_the_same_work(
    context: AccessContext,
    command: Principal,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_user()
    out, without = make_user("gone@example.edu"), make_user("link@example.edu")
    with operate(context, command, NOON) as operation:
        disable_user(operation, out.id)
        get_user(operation.session, without.id).password = None
    hasher = passwords._HASHER
    nobody = hasher.hash("nobody at all")
    work: list[str] = []

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            work.append(stored[:20])
            return hasher.verify(stored, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    monkeypatch.setattr(passwords, "_nobody", lambda: nobody)
    texts = set()
    for email in ("ada@example.edu", "nobody@example.edu", "gone@example.edu", "link@example.edu"):
        with pytest.raises(SignInRefusedError) as refused:
            SignIn(context).with_password(email, "wrong " + PASSWORD, _BROWSER, NOON)
        texts.add(str(refused.value))
    assert len(texts) == 1
    assert len(work) == 4
    assert len(set(work)) == 1  # the same parameters of argon2id, so the same time


def test_the_right_password_of_a_disabled_person_is_refused(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    with operate(context, command, NOON) as operation:
        disable_user(operation, user.id)
    with pytest.raises(SignInRefusedError):
        SignIn(context).with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)


def test_guessing_is_stopped_for_one_address_and_the_person_still_gets_in_from_another(
    context: AccessContext, make_user: MakeUser
) -> None:
    make_user()
    sign_in = SignIn(context)
    for _ in range(context.attempts.pair):
        with pytest.raises(SignInRefusedError):
            sign_in.with_password("ada@example.edu", "a wrong password", _BROWSER, NOON)
    with pytest.raises(TooManyAttemptsError) as refused:
        sign_in.with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    assert refused.value.retry_after == WINDOW.total_seconds()
    sign_in.with_password("ada@example.edu", PASSWORD, Browser("198.51.100.1"), NOON)
    sign_in.with_password("ada@example.edu", PASSWORD, _BROWSER, NOON + WINDOW)


@pytest.mark.parametrize("exists", [True, False])
def test_limits_are_the_same_whether_or_not_an_account_exists(
    context: AccessContext, make_user: MakeUser, *, exists: bool
) -> None:
    make_user()
    strict = AccessContext(context.database, context.keys, attempts=AttemptLimits(account=2))
    email = "ada@example.edu" if exists else "nobody@example.edu"
    for number in range(2):
        with pytest.raises(SignInRefusedError):
            SignIn(strict).with_password(email, "wrong", Browser(f"192.0.2.{number}"), NOON)
    with pytest.raises(TooManyAttemptsError, match=r"15 minute"):
        SignIn(strict).with_password(email, "wrong", Browser("192.0.2.9"), NOON)


def test_one_address_cannot_try_many_accounts(context: AccessContext) -> None:
    strict = AccessContext(context.database, context.keys, attempts=AttemptLimits(address=3))
    for number in range(3):
        with pytest.raises(SignInRefusedError):
            SignIn(strict).with_password(f"a{number}@example.edu", "wrong", _BROWSER, NOON)
    with pytest.raises(TooManyAttemptsError):
        SignIn(strict).with_password("a9@example.edu", "wrong", _BROWSER, NOON)


def test_a_success_clears_the_account_s_failures_and_the_table_names_nobody(
    context: AccessContext, make_user: MakeUser
) -> None:
    make_user()
    for _ in range(3):
        with pytest.raises(SignInRefusedError):
            SignIn(context).with_password("ada@example.edu", "wrong", _BROWSER, NOON)
    with context.database.read() as session:
        subjects = session.scalars(select(Attempt.subject)).all()
    assert len(subjects) == 9
    assert all(b"ada" not in one and b"192" not in one for one in subjects)
    SignIn(context).with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    with context.database.read() as session:
        # What the network address has failed at is kept: three, and the success counted beforehand.
        assert session.scalar(select(func.count()).select_from(Attempt)) == 4


def test_a_second_factor_is_asked_for_and_each_code_works_once(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    totp = _with_totp(context, command, user)
    sign_in = SignIn(context)

    def challenge() -> str:
        answer = sign_in.with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
        assert isinstance(answer, CodeNeeded)
        return answer.challenge

    first = challenge()
    with pytest.raises(SignInRefusedError):
        sign_in.with_code(first, "000000", _BROWSER, NOON)
    code = totp.at(NOON)
    assert _is_open(
        context, sign_in.with_code(first, f"{code[:3]} {code[3:]}", _BROWSER, NOON).cookie
    )
    with pytest.raises(SignInRefusedError):
        sign_in.with_code(challenge(), code, _BROWSER, NOON)
    later = sign_in.with_code(challenge(), totp.at(NOON + _STEP), _BROWSER, NOON + _STEP)
    assert _is_open(context, later.cookie)


def test_a_challenge_works_once_and_for_five_minutes(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    totp = _with_totp(context, command, make_user())
    sign_in = SignIn(context)
    answer = sign_in.with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    assert isinstance(answer, CodeNeeded)
    late = NOON + 5 * MINUTE
    with pytest.raises(SignInRefusedError, match="too long"):
        sign_in.with_code(answer.challenge, totp.at(late), _BROWSER, late)
    sign_in.with_code(answer.challenge, totp.at(NOON), _BROWSER, NOON)
    with pytest.raises(SignInRefusedError, match="too long"):
        sign_in.with_code(answer.challenge, totp.at(NOON + _STEP), _BROWSER, NOON + _STEP)


def test_codes_cannot_be_guessed_one_after_another(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    totp = _with_totp(context, command, make_user())
    answer = SignIn(context).with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    assert isinstance(answer, CodeNeeded)
    for _ in range(context.attempts.pair):
        with pytest.raises(SignInRefusedError):
            SignIn(context).with_code(answer.challenge, "000000", _BROWSER, NOON)
    with pytest.raises(TooManyAttemptsError):
        SignIn(context).with_code(answer.challenge, totp.at(NOON), _BROWSER, NOON)


def test_one_time_passwords_are_set_up_with_a_matching_code_only(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    secret = new_totp_secret()
    assert f"secret={secret}" in totp_uri(secret, user.email)
    with operate(context, command, NOON) as operation, pytest.raises(AccessError):
        enable_totp(operation, user.id, secret, "000000")
    _with_totp(context, command, user)
    with context.database.read() as session:
        sealed = get_user(session, user.id).totp_sealed
    assert sealed is not None
    assert secret.encode() not in sealed
    with operate(context, command, NOON) as operation:
        disable_totp(operation, user.id)
    assert isinstance(SignIn(context).with_password(user.email, PASSWORD, _BROWSER, NOON), Started)


def test_another_secret_of_the_desk_refuses_codes_and_explains(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    totp = _with_totp(context, command, make_user())
    moved = AccessContext(context.database, DeskKeys.from_secret(bytes(32)))
    answer = SignIn(moved).with_password("ada@example.edu", PASSWORD, _BROWSER, NOON)
    assert isinstance(answer, CodeNeeded)
    with pytest.raises(SecretError, match="set up again"):
        SignIn(moved).with_code(answer.challenge, totp.at(NOON), _BROWSER, NOON)


def test_a_sign_in_link_works_once(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user()
    with operate(context, command, NOON) as operation:
        secret = create_link(operation, user.id, Purpose.SIGN_IN)
    assert _is_open(context, SignIn(context).with_link(secret, _BROWSER, NOON).cookie)
    with pytest.raises(SignInRefusedError):
        SignIn(context).with_link(secret, _BROWSER, NOON)


def test_confirming_replaces_the_cookie(context: AccessContext, make_user: MakeUser) -> None:
    user = make_user()
    started = SignIn(context).with_password(user.email, PASSWORD, _BROWSER, NOON)
    assert isinstance(started, Started)
    browser = Browser("192.0.2.7", started.cookie)
    with pytest.raises(SignInRefusedError):
        SignIn(context).confirm(user.id, "wrong", browser, NOON)
    cookie = SignIn(context).confirm(user.id, PASSWORD, browser, NOON)
    assert _is_open(context, cookie)
    assert not _is_open(context, started.cookie)
    with pytest.raises(SignInRefusedError, match="has ended"):
        SignIn(context).confirm(user.id, PASSWORD, browser, NOON)


def test_outdated_hashes_are_renewed_at_sign_in(
    context: AccessContext, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    monkeypatch.setattr(flow, "is_outdated", lambda _stored: True)
    SignIn(context).with_password(user.email, PASSWORD, _BROWSER, NOON)
    with context.database.read() as session:
        assert get_user(session, user.id).password != user.password
    SignIn(context).with_password(user.email, PASSWORD, _BROWSER, NOON)


def test_every_attempt_leaves_an_entry(context: AccessContext, make_user: MakeUser) -> None:
    user = make_user()
    with pytest.raises(SignInRefusedError):
        SignIn(context).with_password(user.email, "wrong", _BROWSER, NOON)
    with pytest.raises(SignInRefusedError):
        SignIn(context).with_password("nobody@example.edu", "wrong", _BROWSER, NOON)
    SignIn(context).with_password(user.email, PASSWORD, _BROWSER, NOON)
    with context.database.read() as session:
        entries = list_entries(session, Chosen(), 3)
    assert [(one.action, one.actor_kind, one.details.get("user")) for one in entries] == [
        ("session.started", "person", None),
        ("session.refused", "anonymous", None),
        ("session.refused", "anonymous", user.id),
    ]
    assert all("example.edu" not in str(one.details) for one in entries)
