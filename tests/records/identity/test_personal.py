"""Columns that look as if they named persons."""

import pytest

from records.identity.personal import Personal, personal_header, personal_values

FIRST = ("Ada", "Émile", "Jo-Ann", "Wei", "Zoë", "Ana María", "Omar", "Li", "Ngozi", "Per")
LAST = (
    "Okafor",
    "O'Neill",
    "de Vries",
    "Núñez",
    "Smith",
    "Ivanova",
    "Haddad",
    "Chen",
    "Sørby",
    "Lee",
)
NAMES = [f"{first} {last.title()}" for first, last in zip(FIRST, LAST, strict=True)]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("E-Mail", Personal.EMAIL),
        ("email_address", Personal.EMAIL),
        ("Last Name", Personal.NAME),
        ("PRÉNOM", Personal.NAME),
        ("Date of birth", Personal.BIRTH),
        ("Matrikelnummer", Personal.NUMBER),
        ("mobile phone", Personal.CONTACT),
        ("attendance", None),
        ("highest_education", None),
        ("period", None),
    ],
)
def test_headers(header: str, kind: Personal | None) -> None:
    assert personal_header(header) is kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (NAMES, Personal.NAME),
        ([f"{name.split()[-1]}, {name.split()[0]}" for name in NAMES], Personal.NAME),
        ([f"student{n}@example.edu" for n in range(3)] + [""] * 5, Personal.EMAIL),
        ([f"{n:07d}" for n in range(4_100_000, 4_100_040)], Personal.NUMBER),
        ([f"S{n}" for n in range(10_000, 10_040)], Personal.NUMBER),
        # What looks like one of these, and is a group, a mark or a code.
        (["East Anglian Region", "South West Region"] * 20, None),
        ([f"s-{n}" for n in range(40)], None),
        ([f"{n / 7:.2f}" for n in range(40)], None),
        (["Pass", "Fail", "Withdrawn"] * 10, None),
        ([f"AAA-2013J-{n}" for n in range(10_000, 10_040)], None),
        ([], None),
    ],
)
def test_values(values: list[str], kind: Personal | None) -> None:
    assert personal_values(values) is kind
