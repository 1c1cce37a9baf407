import string
from datetime import UTC, date, datetime

import pytest
from babel.messages.pofile import read_po

from desk.i18n.catalogues import FOLDER, LANGUAGES, choose
from desk.i18n.extract import template
from desk.i18n.words import Words

OTHERS = [language for language in LANGUAGES if language != "en"]


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_with_the_same_values(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        translated = read_po(file, locale=language)
    wanted = {message.id for message in template() if message.id}
    assert {message.id for message in translated if message.id} == wanted
    for message in translated:
        if not message.id:
            continue
        sources = (message.id,) if isinstance(message.id, str) else tuple(message.id)
        written = message.string or ""
        texts = (written,) if isinstance(written, str) else tuple(written)
        assert all(texts), f"{message.id} has no translation"
        for text in texts:
            assert _fields(text) <= _fields(" ".join(sources)), message.id
            assert _fields(sources[-1]) <= _fields(text) | {"period"}, message.id


def test_numbers_dates_and_plurals_follow_the_language() -> None:
    english, german = (Words(language, UTC, date(2026, 11, 30)) for language in ("en", "de"))
    assert english.number(1234.5, 1) == "1,234.5"
    assert german.number(1234.5, 1) == "1.234,5"
    assert english.points(-0.043) == "\u22124"
    assert english.percent(0.784) == "78%"
    assert english.percent(0.9999) == "> 99%"
    assert english.day(datetime(2026, 11, 3, tzinfo=UTC)) == "3 Nov"
    assert english.day(date(2025, 11, 3)) == "3 Nov 2025"
    assert german.many("{count} case", "{count} cases", 1) == "1 Fall"
    assert german.many("{count} case", "{count} cases", 3) == "3 Fälle"
    assert english.listing(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("chosen", "header", "language"),
    [
        (None, "de-AT,en;q=0.5", "de"),
        (None, "fr", "en"),
        ("en", "de", "en"),
        ("xx", "de", "de"),
        (None, "de;q=nonsense, en", "en"),
        (None, None, "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_first_accepted(
    chosen: str | None, header: str | None, language: str
) -> None:
    assert choose(chosen, header) == language
