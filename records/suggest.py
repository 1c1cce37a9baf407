"""Suggest the name that somebody may have meant."""

import difflib
import re
from collections.abc import Sequence

_DIGITS = re.compile(r"\d+")


def similar_name(name: str, names: Sequence[str]) -> str | None:
    """Return the name that `name` is probably a misspelling of, or None.

    Names that differ in their numbers mean different things: `quiz_1` is the first of several
    quizzes, not a misspelt `quiz`.
    """
    numbers = _DIGITS.findall(name)
    possible = [other for other in names if _DIGITS.findall(other) == numbers]
    close = difflib.get_close_matches(name, possible, n=1)
    return close[0] if close else None
