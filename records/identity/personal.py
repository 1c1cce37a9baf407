"""Recognise columns that look as if they named persons: names, e-mail addresses, student numbers.

A guess from header and values, to warn or to refuse by. It misses what is disguised, and may hit what
is harmless. Messages name the column and the kind, never a value.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_NAME = re.compile(r"[^\W\d_][\w'.\u2019-]*(?:,? [^\W\d_][\w'.\u2019-]*){1,4}")
_NUMBER = re.compile(r"[A-Za-z]{0,3}[-_ ]?\d{5,12}")
# What is free text may be anything; a share of values decides.
_EMAILS, _NAMES, _NUMBERS = 0.2, 0.6, 0.8
# A column of few different values names groups, not persons.
_DISTINCT = 0.5
_FEWEST = 10


class Personal(StrEnum):
    """What a column seems to hold; the value is what a message says."""

    NAME = "names"
    EMAIL = "e-mail addresses"
    CONTACT = "contact details"
    BIRTH = "dates of birth"
    NUMBER = "student numbers"


# Words of headers, without accents, in the languages of exports seen so far.
_HEADERS = {
    Personal.EMAIL: frozenset({"email", "mail", "emailaddress"}),
    Personal.NAME: frozenset(
        {
            *("name", "names", "surname", "forename", "firstname", "lastname", "fullname"),
            *("username", "nickname", "vorname", "nachname", "nom", "prenom", "nombre"),
            *("apellido", "apellidos", "nome", "sobrenome"),
        }
    ),
    Personal.CONTACT: frozenset(
        {"phone", "mobile", "telephone", "telefon", "address", "adresse", "strasse"}
    ),
    Personal.BIRTH: frozenset({"birth", "birthday", "birthdate", "dob", "geburtsdatum"}),
    Personal.NUMBER: frozenset({"matriculation", "matrikelnummer", "sid", "ssn", "passport"}),
}


def personal_header(header: str) -> Personal | None:
    """Return what a column seems to hold by its header alone."""
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z]+", plain)
    found = {*words, "".join(words)}
    return next((kind for kind, known in _HEADERS.items() if found & known), None)


def personal_values(values: Sequence[str]) -> Personal | None:
    """Return what a column of text seems to hold by its values.

    Args:
        values: As they stand; empty ones do not count. A few thousand are enough.
    """
    filled = [value.strip() for value in values if value and value.strip()]
    if not filled:
        return None
    share = 1 / len(filled)
    if sum(bool(_EMAIL.fullmatch(value)) for value in filled) * share >= _EMAILS:
        return Personal.EMAIL
    if len(filled) < _FEWEST or len(set(filled)) * share < _DISTINCT:
        return None
    if sum(map(_is_name, filled)) * share >= _NAMES:
        return Personal.NAME
    if sum(bool(_NUMBER.fullmatch(value)) for value in filled) * share >= _NUMBERS:
        return Personal.NUMBER
    return None


def _is_name(value: str) -> bool:
    if not _NAME.fullmatch(value):
        return False
    return all(word[:1].isupper() for word in re.split(r"[ ,]+", value) if word)
