"""What access refuses, and what to do about it. No message tells whether an account exists."""

from records.errors import BellwetherError


class AccessError(BellwetherError):
    """Base of what access refuses."""


class SignInRefusedError(AccessError):
    """Name and password, code or link do not open an account."""


class TooManyAttemptsError(AccessError):
    """Too many failed attempts in a short time.

    Args:
        retry_after: Seconds until the next attempt is looked at.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        minutes = -(-retry_after // 60)
        super().__init__(f"Too many attempts. Try again in {minutes} minute(s).")


class WeakPasswordError(AccessError):
    """A new password is too short, too long, or easily guessed."""


class ForbiddenError(AccessError):
    """The principal may not do this, or not for this student."""


class ForgedRequestError(AccessError):
    """A request that changes something did not come from a page of the desk."""


class UnknownPersonError(AccessError):
    """No such user, or no such token: an administrator's or a command's mistake."""


class AlreadyExistsError(AccessError):
    """A user with this address exists."""


class SecretError(AccessError):
    """The desk's secret is missing, too short, or readable by others."""


class AuditError(AccessError):
    """The audit trail, or a file exported from it, cannot be read."""
