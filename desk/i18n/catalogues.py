"""Message catalogues, read once at start from the translators' own files (`<language>.po`).

English is the language of the source, so that it needs no catalogue. A further language is one
more file: `python -m desk.i18n.extract` renews them all.
"""

import gettext
import io
from functools import cache
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"
LANGUAGES = {"en": "English", "de": "Deutsch"}
FOLDER = files("desk.i18n")


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the messages of a language; the source's own where there is no such catalogue."""
    path = FOLDER / f"{language}.po"
    if language == SOURCE_LANGUAGE or not path.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.StringIO(path.read_text("utf-8")), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose(wanted: str | None, header: str | None) -> str:
    """Return the language of an answer: what a person chose, else the first accepted one.

    Args:
        wanted: Language that the person chose before, or None.
        header: `Accept-Language` of the request, or None.
    """
    if wanted in LANGUAGES:
        return str(wanted)
    offered: list[tuple[float, str]] = []
    for part in (header or "").split(","):
        name, _, quality = part.strip().partition(";q=")
        language = name.split("-")[0].lower()
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and weight > 0:
            offered.append((weight, language))
    return max(offered, key=lambda offer: offer[0])[1] if offered else SOURCE_LANGUAGE
