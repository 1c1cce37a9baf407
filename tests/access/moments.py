"""Names that tests of access share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from access.tables import User

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PASSWORD = "seven blue herons at dusk"  # noqa: S105 - of people who exist in tests only

MakeUser = Callable[..., User]
