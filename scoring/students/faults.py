"""Say what is wrong with one student's row: where, what was expected, what to do.

No message contains a student's value.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from records.contract import Contract, Feature, Kind
from records.errors import Fault
from records.identity.ids import match_key
from records.suggest import similar_name
from records.tables.layout import number_limits
from records.wording import (
    BLANK_ID,
    DUPLICATE_PERIOD,
    ID_CHARACTERS,
    ID_LENGTH,
    UNORDERED_PERIODS,
    period_expected,
    value_expected,
)

FAULTS_PER_ROW = 20
_STUDENT_FIELDS = ("id", "periods")


def explain(contract: Contract, row: int, student: object, *, limit: int) -> list[Fault]:
    """List what is wrong with a student that `Intake` could not admit, at least one fault.

    Args:
        contract: What a record holds.
        row: Position among the students handed in.
        student: JSON-like: dicts, lists, strings, numbers, booleans, None.
        limit: Stop after so many faults.
    """
    found = list(islice(_student_faults(contract, row, student), limit))
    return found or [
        Fault(row, None, "wrong_type", "The student holds something that is not plain JSON.")
    ]


def is_text(value: str) -> bool:
    """Tell whether a string can be written as UTF-8: it holds no half of a surrogate pair."""
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def blank_id(row: int) -> Fault:
    """Return the fault of an id that holds nothing visible."""
    return Fault(row, "id", "out_of_range", BLANK_ID)


def duplicate_id(row: int, first: int) -> Fault:
    """Return the fault of an id that no reader can tell from that of the row `first`."""
    message = f"The `id` is that of students[{first}]; send each student once, with all periods."
    return Fault(row, "id", "duplicate_id", message)


def with_whole_periods(student: object) -> object:
    """Return a student whose period numbers are whole numbers where they are whole: 1.0 is 1."""
    if not isinstance(student, Mapping):
        return student
    periods = student.get("periods")
    if not isinstance(periods, list | tuple):
        return student
    return {**student, "periods": [_with_whole_period(entry) for entry in periods]}


def _with_whole_period(entry: object) -> object:
    number = entry.get("period") if isinstance(entry, Mapping) else None
    if isinstance(entry, Mapping) and isinstance(number, float) and number.is_integer():
        return {**entry, "period": int(number)}
    return entry


def order_faults(row: int, periods: Sequence[int]) -> list[Fault]:
    """List the periods that do not come after the one before them."""
    return list(islice(_order_faults(row, enumerate(periods)), FAULTS_PER_ROW))


def _student_faults(contract: Contract, row: int, student: object) -> Iterator[Fault]:
    if not isinstance(student, Mapping):
        message = "A student must be an object with `id` and `periods`."
        yield Fault(row, None, "wrong_type", message)
        return
    for key in student:
        if key not in _STUDENT_FIELDS:
            yield _unknown(contract, row, "", (key, None), _STUDENT_FIELDS)
    yield from _id_faults(row, student)
    if "periods" not in student:
        message = "`periods` is missing: a list with one object per period."
        yield Fault(row, "periods", "missing_field", message)
        return
    periods, maximum = student["periods"], contract.periods.maximum
    if not isinstance(periods, list | tuple):
        message = "`periods` must be a list with one object per period."
        yield Fault(row, "periods", "wrong_type", message)
    elif not periods:
        message = "`periods` is empty: a student needs at least one period."
        yield Fault(row, "periods", "empty_list", message)
    elif len(periods) > maximum:
        message = (
            f"`periods` holds {len(periods)} entries; this contract ends with "
            f"{contract.periods.name} {maximum}."
        )
        yield Fault(row, "periods", "too_many_periods", message)
    else:
        for at, entry in enumerate(periods):
            yield from _period_faults(contract, row, f"periods[{at}]", entry)
        numbered = [
            (at, entry["period"])
            for at, entry in enumerate(periods)
            if isinstance(entry, Mapping) and _is_period(entry.get("period"), maximum)
        ]
        yield from _order_faults(row, numbered)


def _id_faults(row: int, student: Mapping[object, object]) -> Iterator[Fault]:
    identity = student.get("id")
    if "id" not in student:
        yield Fault(row, "id", "missing_field", "`id` is missing: a pseudonymous string.")
    elif not isinstance(identity, str):
        yield Fault(row, "id", "wrong_type", "`id` must be a string.")
    elif not 1 <= len(identity) <= ID_LENGTH:
        message = ID_CHARACTERS
        yield Fault(row, "id", "out_of_range", message)
    elif not match_key(identity):
        yield blank_id(row)
    elif not is_text(identity):
        message = "`id` holds half of a surrogate pair; send valid Unicode."
        yield Fault(row, "id", "not_text", message)


def _period_faults(contract: Contract, row: int, where: str, entry: object) -> Iterator[Fault]:
    if not isinstance(entry, Mapping):
        message = "A period must be an object with `period` and the features' values."
        yield Fault(row, where, "wrong_type", message)
        return
    number, maximum = entry.get("period"), contract.periods.maximum
    expected = f"a whole number from 1 to {maximum}"
    if "period" not in entry:
        message = f"`period` is missing: {expected}."
        yield Fault(row, f"{where}.period", "missing_field", message)
    elif not isinstance(number, int) or isinstance(number, bool):
        message = period_expected(contract)
        yield Fault(row, f"{where}.period", "wrong_type", message)
    elif not _is_period(number, maximum):
        message = period_expected(contract)
        yield Fault(row, f"{where}.period", "out_of_range", message)
    for key, value in entry.items():
        if key == "period":
            continue
        if key not in contract.feature_names:
            known = ("period", *contract.feature_names)
            yield _unknown(contract, row, f"{where}.", (key, value), known)
        elif value is not None:
            feature = contract.feature(str(key))
            if code := _value_fault(feature, value):
                message = value_expected(feature)
                yield Fault(row, f"{where}.{feature.name}", code, message)


def _value_fault(feature: Feature, value: object) -> str | None:
    """Return the code of what is wrong with a value that is not None, or None."""
    if feature.levels:
        if not isinstance(value, str):
            return "wrong_type"
        return None if value in feature.levels else "unknown_level"
    if feature.kind is Kind.FLAG:
        return None if isinstance(value, bool) else "wrong_type"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "wrong_type"
    if isinstance(value, float) and not math.isfinite(value):
        return "not_finite"
    lower, upper = number_limits(feature)
    return None if lower <= value <= upper else "out_of_range"


def _order_faults(row: int, numbered: Iterable[tuple[int, int]]) -> Iterator[Fault]:
    """Walk (position, period) pairs; a period must come after every one before it."""
    latest = 0
    seen: set[int] = set()
    for at, period in numbered:
        where = f"periods[{at}].period"
        if period in seen:
            yield Fault(row, where, "duplicate_period", DUPLICATE_PERIOD)
        elif period < latest:
            yield Fault(row, where, "unordered_periods", UNORDERED_PERIODS)
        seen.add(period)
        latest = max(latest, period)


def _is_period(number: object, maximum: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= maximum


def _unknown(
    contract: Contract, row: int, where: str, item: tuple[object, object], known: Sequence[str]
) -> Fault:
    key, value = item
    name = field_name(key)
    if not where and name in contract.feature_names:
        advice = "a feature belongs into the objects of `periods`."
    elif (close := similar_name(name, known)) and _may_be(contract, close, value):
        advice = f"did you mean `{close}`?"
    else:
        advice = f"contract '{contract.name}' names the fields there are."
    return Fault(row, f"{where}{name}", "unknown_field", f"`{name}` is no field here; {advice}")


def _may_be(contract: Contract, name: str, value: object) -> bool:
    """Return whether a value is of the kind that the field `name` holds."""
    if value is None or name not in contract.feature_names:
        return True
    return _value_fault(contract.feature(name), value) != "wrong_type"


def field_name(key: object) -> str:
    """Return a key as it may be shown: printable ASCII, at most 64 characters."""
    text = key if isinstance(key, str) else type(key).__name__
    shown = text[:64].encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in shown) + "…" * (len(text) > 64)
