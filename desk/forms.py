"""Read forms: each field checked once, every fault named beside its field."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from starlette.datastructures import FormData

from desk.i18n.words import Words


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field, in words for the person; `field` None for the whole form."""

    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class FormState:
    """A form as a page shows it: what was entered, and what is wrong with it.

    Attributes:
        name: Of the form, unique on its page; prefix of its fields' ids.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def fault_of(self, name: str) -> str | None:
        """Return what is wrong with a field."""
        return next((fault.message for fault in self.faults if fault.field == name), None)

    def value_of(self, name: str, otherwise: str = "") -> str:
        """Return what was entered, else the value to begin with."""
        return self.values.get(name, otherwise)


class FormReader:
    """Reads the fields of one form and collects their faults.

    Args:
        name: Of the form.
        data: As sent.
        words: Language of the faults.
    """

    def __init__(self, name: str, data: FormData, words: Words) -> None:
        self._name = name
        self._data = data
        self._words = words
        self._faults: list[Fault] = []

    def text(self, name: str, *, required: bool = True, longest: int = 600) -> str:
        """Read text without surrounding spaces."""
        value = self._value(name)
        if required and not value:
            self.refuse(name, self._words("Please fill this in."))
        if len(value) > longest:
            message = self._words("At most {count} characters.", count=self._words.number(longest))
            self.refuse(name, message)
        return value

    def choice(self, name: str, allowed: Iterable[str], *, required: bool = True) -> str:
        """Read one of several values; empty where none was chosen and none is required."""
        value = self._value(name)
        if (value and value not in set(allowed)) or (required and not value):
            self.refuse(name, self._words("Please choose one of these."))
            return ""
        return value

    def day(
        self,
        name: str,
        *,
        required: bool = True,
        earliest: date | None = None,
        latest: date | None = None,
    ) -> date | None:
        """Read a date as browsers write it, `YYYY-MM-DD`, within bounds that count themselves."""
        value = self._value(name)
        if not value:
            if required:
                self.refuse(name, self._words("Please give a day."))
            return None
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.refuse(name, self._words("Please write the day as year-month-day, 2026-11-30."))
            return None
        if earliest is not None and day < earliest:
            message = self._words("The earliest day is {day}.", day=self._words.day(earliest))
            self.refuse(name, message)
        if latest is not None and day > latest:
            message = self._words("The latest day is {day}.", day=self._words.day(latest))
            self.refuse(name, message)
        return day

    def flag(self, name: str) -> bool:
        """Read a tick box."""
        return bool(self._value(name))

    def whole(self, name: str) -> int | None:
        """Read a whole number; None where it is empty or none."""
        return whole(self._value(name))

    def wholes(self, name: str, *, most: int = 500) -> tuple[int, ...]:
        """Read the numbers of ticked rows, each once, at most `most`."""
        values = (whole(str(value)) for value in self._data.getlist(name)[:most])
        return tuple(dict.fromkeys(value for value in values if value is not None))

    def refuse(self, name: str | None, message: str) -> None:
        """Record a fault; the first one of a field counts."""
        if all(fault.field != name for fault in self._faults):
            self._faults.append(Fault(name, message))

    @property
    def is_valid(self) -> bool:
        """Whether no fault was found so far."""
        return not self._faults

    def state(self) -> FormState:
        """Return the form as it was sent, with its faults."""
        values = {name: str(value) for name, value in self._data.items()}
        return FormState(self._name, values, tuple(self._faults))

    def _value(self, name: str) -> str:
        value = self._data.get(name)
        return value.strip() if isinstance(value, str) else ""


def whole(text: str) -> int | None:
    """Read a whole number that a database can hold; None where the text is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return None
    return int(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list to choose from."""

    value: str
    label: str
    chosen: bool = False


def choices(pairs: Sequence[tuple[str, str]], chosen: str | None = None) -> tuple[Choice, ...]:
    """Make a list to choose from of values and labels."""
    return tuple(Choice(value, label, value == chosen) for value, label in pairs)
