"""Set, change and reset passwords."""

from datetime import datetime

from access.errors import SignInRefusedError
from access.operation import AccessContext, AttemptLimits, Operation, operate
from access.people import find_user, get_user
from access.roles import ANONYMOUS, Kind, Principal
from access.sessions import end_sessions_of
from access.sign_in.links import Purpose, create_link, find_link, redeem_link
from access.sign_in.passwords import check_new_password, hash_password, verify_password
from access.sign_in.throttle import Browser, clear_attempts, count_attempt
from access.tables import User
from database.base import utc_now


def person(user: User) -> Principal:
    """Name a person as the one who acts, without rights: what people do to their own account needs none."""
    return Principal(Kind.PERSON, str(user.id), user.name, user.id)


def set_password(
    context: AccessContext,
    secret: str,
    purpose: Purpose,
    password: str,
    at: datetime | None = None,
) -> None:
    """Set a password by an invitation or reset link. All sessions of the person end; the person signs in next.

    Args:
        context: What access works with.
        secret: Of the link.
        purpose: Invitation or reset.
        password: The new one.
        at: Moment; now by default.

    Raises:
        SignInRefusedError: The link was used, has expired or never was one.
        WeakPasswordError: The password was refused; the link can be used again.
    """
    now = at or utc_now()
    with context.database.read() as session:
        waiting = find_link(session, secret, purpose, now)
    if waiting is None:
        raise SignInRefusedError("This link was used already or has expired. Ask for a new one.")
    check_new_password(password, waiting.email, waiting.name)
    hashed = hash_password(password)
    with operate(context, person(waiting), now) as operation:
        user = redeem_link(operation, secret, purpose)
        _store(operation, user, hashed, None)


def change_password(
    context: AccessContext,
    user_id: int,
    browser: Browser,
    *,
    old: str,
    new: str,
    at: datetime | None = None,
) -> None:
    """Change the password of a person who has signed in. All other sessions of the person end.

    Raises:
        SignInRefusedError: The old password is wrong.
        TooManyAttemptsError: Too many attempts failed.
        WeakPasswordError: The new password was refused.
    """
    now = at or utc_now()
    user = check_password(context, user_id, old, browser, now)
    check_new_password(new, user.email, user.name)
    hashed = hash_password(new)
    with operate(context, person(user), now) as operation:
        _store(operation, get_user(operation.session, user_id), hashed, browser.cookie)


def request_reset(
    context: AccessContext, email: str, browser: Browser, at: datetime | None = None
) -> str | None:
    """Make a reset link where there is such an account. The page answers the same in both cases.

    Returns:
        The link's secret, to be mailed to the address and shown nowhere; None where there is no account. Mail is
        sent after the answer, so that the time of the answer tells nothing.

    Raises:
        TooManyAttemptsError: Too many links were asked for.
    """
    now = at or utc_now()
    account = f"reset {email.strip().lower()}"
    count_attempt(context, account, browser.address, now, AttemptLimits(account=6))
    with operate(context, ANONYMOUS, now) as operation:
        user = find_user(operation.session, email)
        if user is None or user.disabled_at is not None:
            operation.record("link.refused", purpose=Purpose.RESET)
            return None
        return create_link(operation, user.id, Purpose.RESET)


def check_password(
    context: AccessContext, user_id: int, password: str, browser: Browser, at: datetime
) -> User:
    """Check the password of a person who has signed in.

    Raises:
        SignInRefusedError: It is wrong.
        TooManyAttemptsError: Too many attempts failed.
        UnknownPersonError: There is no such user.
    """
    with context.database.read() as session:
        user = get_user(session, user_id)
    count_attempt(context, user.email, browser.address, at)
    if not verify_password(user.password, password):
        raise SignInRefusedError("The password is wrong.")
    with context.database.write() as session:
        clear_attempts(session, context.keys, user.email, browser.address)
    return user


def _store(operation: Operation, user: User, hashed: str, cookie: str | None) -> None:
    """Store a new password and end sessions that the old one opened."""
    user.password = hashed
    end_sessions_of(operation.session, user.id, except_cookie=cookie)
    operation.record("password.changed", user=user.id)
