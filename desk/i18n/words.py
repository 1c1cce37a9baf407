"""What a page says, in the language of its reader."""

import re
from collections.abc import Sequence
from datetime import date, datetime, tzinfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from desk.i18n.catalogues import catalogue

# U+2212: as wide as a plus, and read as "minus".
_MINUS = "\u2212"


class Words:
    """Messages, numbers and dates in one language.

    Args:
        language: Language code, such as `en`.
        zone: Time zone in which times of day are shown.
        today: Day on which the page is shown: what "today" and "in 3 days" refer to.
    """

    def __init__(self, language: str, zone: tzinfo, today: date) -> None:
        self.language = language
        self.today = today
        self._zone = zone
        self._messages = catalogue(language)
        # Day before month, 24 hours: what universities outside the United States write.
        self._locale = Locale.parse("en_GB" if language == "en" else language)

    def __call__(self, message: str, /, **values: object) -> str:
        """Translate a message and fill in its `{named}` values."""
        translated = self._messages.gettext(message)
        return translated.format(**values) if values else translated

    def many(self, one: str, several: str, count: int, /, **values: object) -> str:
        """Translate a message that depends on a number, filled in as `{count}`."""
        translated = self._messages.ngettext(one, several, count)
        return translated.format(count=self.number(count), **values)

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number with at most so many decimals."""
        pattern = "#,##0" + ("." + "#" * digits if digits else "")
        written: str = format_decimal(value, format=pattern, locale=self._locale)
        return written.replace("-", _MINUS)

    def percent(self, share: float) -> str:
        """Write a share, such as .784, as a whole percentage; the ends only where exact."""
        if 0 < share < 0.005:
            return "< " + self.percent(0.01)
        if 0.995 <= share < 1:
            return "> " + self.percent(0.99)
        written: str = format_percent(share, format=None, locale=self._locale)
        return written

    def points(self, change: float) -> str:
        """Write the change of a share in percentage points, with its sign."""
        whole = round(change * 100)
        sign = "+" if whole > 0 else _MINUS if whole < 0 else "±"
        return f"{sign}{abs(whole)}"

    def day(self, day: date) -> str:
        """Write a day: without its year where that is this year's."""
        if isinstance(day, datetime):
            day = day.astimezone(self._zone).date()
        skeleton = "MMMd" if day.year == self.today.year else "yMMMd"
        written: str = format_skeleton(skeleton, day, locale=self._locale)
        return written

    def long_day(self, day: date) -> str:
        """Write a day with its weekday and year."""
        written: str = format_date(day, format="full", locale=self._locale)
        return written

    def moment(self, moment: datetime) -> str:
        """Write a day and a time of day."""
        written: str = format_datetime(
            moment, format="d MMM y, HH:mm", tzinfo=self._zone, locale=self._locale
        )
        return written

    def listing(self, items: Sequence[str]) -> str:
        """Join items as a sentence does: "a, b and c"."""
        written: str = format_list(list(items), locale=self._locale) if items else ""
        return written

    def sentence(self, text: str) -> str:
        """Begin with a capital and end with a full stop."""
        text = text.strip()
        text = text[:1].upper() + text[1:]
        return text if re.search(r"[.!?…]$", text) else text + "."
