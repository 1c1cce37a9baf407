"""One-time passwords from an authenticator app (RFC 6238), as a second factor that people may choose."""

import hmac
from datetime import datetime

import pyotp
from cryptography.exceptions import InvalidTag

from access.errors import AccessError, SecretError
from access.keys import DeskKeys
from access.operation import Operation
from access.people import get_user
from access.tables import User

STEP_SECONDS = 30
ISSUER = "Bellwether"


def new_totp_secret() -> str:
    """Make a secret of 160 bits in base 32. The page holds it until the first code proves that the app has it."""
    return pyotp.random_base32()


def totp_uri(secret: str, email: str) -> str:
    """Write the address that authenticator apps read from a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def enable_totp(operation: Operation, user_id: int, secret: str, code: str) -> None:
    """Ask a person for one-time passwords from now on.

    Args:
        operation: By whom and when.
        user_id: The person.
        secret: From `new_totp_secret`.
        code: What the person's app shows now.

    Raises:
        AccessError: The code is wrong.
        UnknownPersonError: There is no such user.
    """
    user = get_user(operation.session, user_id)
    step = _matching_step(secret, code, operation.at)
    if step is None:
        raise AccessError("This code does not match. Check that the clock of your device is right.")
    user.totp_sealed = operation.keys.seal_totp(user_id, secret)
    user.totp_step = step
    operation.record("totp.enabled", user=user_id)


def disable_totp(operation: Operation, user_id: int) -> None:
    """Ask no more for one-time passwords: the person wants it, or an administrator where a device was lost.

    Raises:
        UnknownPersonError: There is no such user.
    """
    user = get_user(operation.session, user_id)
    user.totp_sealed = user.totp_step = None
    operation.record("totp.disabled", user=user_id)


def accept_code(user: User, keys: DeskKeys, code: str, at: datetime) -> bool:
    """Check a one-time password, and use it up: it and all earlier ones no longer work.

    Raises:
        SecretError: The desk's secret is not the one that the person's secret was stored under.
    """
    if user.totp_sealed is None:
        return False
    try:
        secret = keys.open_totp(user.id, user.totp_sealed)
    except InvalidTag:
        raise SecretError(
            "The desk's secret has changed: one-time passwords have to be set up again."
        ) from None
    step = _matching_step(secret, code, at)
    if step is None or (user.totp_step is not None and step <= user.totp_step):
        return False
    user.totp_step = step
    return True


def _matching_step(secret: str, code: str, at: datetime) -> int | None:
    """Find the time step of a code among this one and its two neighbours; clocks differ a little."""
    given = "".join(code.split()).encode()
    now = int(at.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            return step
    return None
