"""Match students' ids: two ids that no reader can tell apart are ids of one student.

Tables and JSON match ids by `match_keys`. Answers carry the ids exactly as they were sent.
"""

import re
import unicodedata
from collections.abc import Sequence

# Characters that are drawn as nothing and that Unicode counts as letters or marks: the grapheme
# joiner, fillers of Hangul and Khmer, selectors of variants.
_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def match_key(student_id: str) -> str:
    """Return the form in which an id is matched with others.

    Characters are composed (NFC), invisible ones removed, blanks at both ends removed and blanks
    within replaced by one space. Capitals stay as they are.

    Returns:
        An empty string where the id holds nothing visible.
    """
    if _is_plain(student_id):
        return student_id
    visible = _FILLERS.sub("", unicodedata.normalize("NFC", student_id))
    spaced = ("".join(map(_visible, visible))).split()
    return unicodedata.normalize("NFC", " ".join(spaced))


def match_keys(ids: Sequence[str]) -> Sequence[str]:
    """Return `match_key` of each id; the very same sequence where no id needs a change."""
    return ids if _is_plain("".join(ids)) else list(map(match_key, ids))


def repeats(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Find the keys that occurred before.

    Returns:
        (position, position of the first with the same key), ascending.
    """
    if len(set(keys)) == len(keys):
        return []
    first: dict[str, int] = {}
    return [(at, first[key]) for at, key in enumerate(keys) if first.setdefault(key, at) != at]


def differ_in_capitals(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Find different keys that are equal once capitals are ignored; as `repeats`."""
    different = list(dict.fromkeys(keys))
    folded = repeats([key.casefold() for key in different])
    if not folded:
        return []
    place = {key: at for at, key in reversed(list(enumerate(keys)))}
    return sorted((place[different[at]], place[different[first]]) for at, first in folded)


def _is_plain(text: str) -> bool:
    """Return whether a text, or several in a row, is its own match key."""
    if not text.isprintable() or " " in text:
        return False
    return text.isascii() or (unicodedata.is_normalized("NFC", text) and not _FILLERS.search(text))


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf") else character
