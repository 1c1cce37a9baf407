"""What the domain refuses; the desk answers 404, 409, 409 and 422."""

from records.errors import BellwetherError


class NotFoundError(BellwetherError):
    """There is no such row, or it lies outside the caller's scope."""


class NotAllowedError(BellwetherError):
    """The state does not allow the step; the message names those that it does."""


class ConflictError(BellwetherError):
    """Somebody else changed the case since the caller read it; read it again."""


class InvalidError(BellwetherError):
    """An argument breaks a rule; the message says which, and what to do."""
