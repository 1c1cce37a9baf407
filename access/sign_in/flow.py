"""Sign people in: by password with an optional second factor, by one-time link, or through a provider."""

from dataclasses import dataclass
from datetime import datetime

from access.errors import SignInRefusedError
from access.operation import AccessContext, Operation, operate
from access.people import find_user, get_user
from access.roles import ANONYMOUS
from access.sessions import rotate_session, start_session
from access.sign_in.id_tokens import Identity
from access.sign_in.identities import person_of
from access.sign_in.links import Purpose, create_link, find_link, redeem_link
from access.sign_in.passwords import hash_password, is_outdated, verify_password
from access.sign_in.recovery import check_password, person
from access.sign_in.throttle import Browser, clear_attempts, count_attempt
from access.sign_in.totp import accept_code
from access.tables import User
from database.base import utc_now

_REFUSED = "The address or the password is wrong."


@dataclass(frozen=True)
class Started:
    """A session has begun.

    Attributes:
        cookie: Value of the session's cookie.
    """

    cookie: str


@dataclass(frozen=True)
class CodeNeeded:
    """The password is right; a one-time password is needed as well.

    Attributes:
        challenge: To be sent back with the code within five minutes.
    """

    challenge: str


class SignIn:
    """Sign people in.

    Passwords are hashed outside transactions: a hash takes longer than anything else here, and SQLite has one writer.

    Args:
        context: What access works with.
    """

    def __init__(self, context: AccessContext) -> None:
        self._context = context

    def with_password(
        self, email: str, password: str, browser: Browser, at: datetime | None = None
    ) -> Started | CodeNeeded:
        """Sign in by address and password.

        Raises:
            SignInRefusedError: They do not match, whichever of the two is wrong.
            TooManyAttemptsError: Too many attempts failed.
        """
        now = at or utc_now()
        account = email.strip().lower()
        count_attempt(self._context, account, browser.address, now)
        with self._context.database.read() as session:
            user = find_user(session, account)
        stored = user.password if user is not None and user.disabled_at is None else None
        if not verify_password(stored, password) or user is None or stored is None:
            self._refuse(user, "password", now)
            raise SignInRefusedError(_REFUSED)
        fresh = hash_password(password) if is_outdated(stored) else None
        with operate(self._context, person(user), now) as operation:
            found = get_user(operation.session, user.id)
            if found.password != stored or found.disabled_at is not None:
                raise SignInRefusedError(_REFUSED)
            if fresh:
                found.password = fresh
            if found.totp_sealed is not None:
                return CodeNeeded(create_link(operation, user.id, Purpose.SECOND_FACTOR))
            clear_attempts(operation.session, self._context.keys, account, browser.address)
            return self._start(operation, found, "password", browser)

    def with_code(
        self, challenge: str, code: str, browser: Browser, at: datetime | None = None
    ) -> Started:
        """Finish a sign-in by password with a one-time password.

        Raises:
            SignInRefusedError: The code is wrong, was used before, or the challenge has expired.
            TooManyAttemptsError: Too many attempts failed.
        """
        now = at or utc_now()
        with self._context.database.read() as session:
            waiting = find_link(session, challenge, Purpose.SECOND_FACTOR, now)
        if waiting is None:
            raise SignInRefusedError("This took too long. Sign in again.")
        account = f"code {waiting.email}"
        count_attempt(self._context, account, browser.address, now)
        with operate(self._context, person(waiting), now) as operation:
            # Locked: the same code in two requests at the same time has to work once.
            user = operation.session.get_one(User, waiting.id, with_for_update=True)
            if accept_code(user, self._context.keys, code, now):
                redeem_link(operation, challenge, Purpose.SECOND_FACTOR)
                for done in (user.email, account):
                    clear_attempts(operation.session, self._context.keys, done, browser.address)
                return self._start(operation, user, "password", browser)
        self._refuse(waiting, "code", now)
        raise SignInRefusedError("This code is wrong or was used already.")

    def with_link(self, secret: str, browser: Browser, at: datetime | None = None) -> Started:
        """Sign in by a one-time link. It was made by somebody who may let people in; no second factor is asked for.

        Raises:
            SignInRefusedError: The link was used, has expired or never was one.
        """
        now = at or utc_now()
        try:
            with operate(self._context, ANONYMOUS, now) as operation:
                user = redeem_link(operation, secret, Purpose.SIGN_IN)
                return self._start(operation, user, "link", browser)
        except SignInRefusedError:
            self._refuse(None, "link", now)
            raise

    def with_provider(
        self, identity: Identity, browser: Browser, at: datetime | None = None
    ) -> Started:
        """Sign in a person whom an OpenID provider has vouched for. A second factor is the provider's business.

        Raises:
            SignInRefusedError: No person of the desk has this account, or the person was disabled.
        """
        now = at or utc_now()
        try:
            with operate(self._context, ANONYMOUS, now) as operation:
                user = get_user(operation.session, person_of(operation, identity))
                return self._start(operation, user, "provider", browser)
        except SignInRefusedError:
            self._refuse(None, "provider", now)
            raise

    def confirm(
        self, user_id: int, password: str, browser: Browser, at: datetime | None = None
    ) -> str:
        """Have a person who is signed in prove again who they are, before something dangerous.

        Returns:
            The new value of the session's cookie.

        Raises:
            SignInRefusedError: The password is wrong, or the session has ended.
            TooManyAttemptsError: Too many attempts failed.
        """
        now = at or utc_now()
        user = check_password(self._context, user_id, password, browser, now)
        with operate(self._context, person(user), now) as operation:
            cookie = rotate_session(operation, browser.cookie or "")
            if cookie is None:
                raise SignInRefusedError("The session has ended. Sign in again.")
            operation.record("session.confirmed")
            return cookie

    def _start(self, operation: Operation, user: User, method: str, browser: Browser) -> Started:
        """Begin the session, as the person."""
        operation.by = person(user)
        cookie = start_session(operation, user, method, self._context.sessions, browser.cookie)
        operation.record("session.started", method=method)
        return Started(cookie)

    def _refuse(self, user: User | None, method: str, at: datetime) -> None:
        """Record a failed attempt, of whomever: it takes as long where there is no such account."""
        with operate(self._context, ANONYMOUS, at) as operation:
            known = None if user is None else user.id
            operation.record("session.refused", method=method, user=known)
