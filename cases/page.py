"""Pages of lists: a cursor holds the sort keys of the last row, so that no row is skipped."""

import base64
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cases.errors import InvalidError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list.

    Attributes:
        next: Cursor of the page after this one; None at the end.
    """

    rows: list[Row]
    next: str | None


def cursor_of(keys: tuple[Any, ...]) -> str:
    """Write sort keys (numbers and strings) as a cursor for a URL."""
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def position_of(cursor: str, keys: int) -> list[Any]:
    """Read what `cursor_of` wrote.

    Raises:
        InvalidError: It is no cursor with that many keys.
    """
    try:
        read = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        read = None
    if (
        not isinstance(read, list)
        or len(read) != keys
        or not all(isinstance(key, str | int | float) for key in read)
    ):
        raise InvalidError("The cursor is invalid; begin again without one.")
    return read
