"""Renew the catalogues from the source: `python -m desk.i18n.extract`.

New messages are added without a translation, those that no source holds any more are removed.
"""

from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from desk.i18n.catalogues import LANGUAGES, SOURCE_LANGUAGE

# Functions whose first argument is a message; `many` takes singular and plural.
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "words": None,
    "_words": None,
    "_": None,
    "many": (1, 2),
}
_ROOM = Path(str(files("desk")))


def messages() -> Iterator[str | tuple[str, ...]]:
    """Yield every message of the desk's code and templates."""
    for path in sorted(_ROOM.rglob("*.py")):
        source = BytesIO(path.read_bytes())
        for _, message, _, _ in extract("python", source, keywords=KEYWORDS):
            yield message
    for path in sorted((_ROOM / "templates").rglob("*.html")):
        source = BytesIO(path.read_bytes())
        options = {"encoding": "utf-8"}
        for _, _, found, _ in babel_extract(source, list(KEYWORDS), [], options):
            parts = (found,) if isinstance(found, str) else tuple(m for m in found or () if m)
            if parts:
                yield parts if len(parts) > 1 else parts[0]


def template() -> Catalog:
    """Return the messages as a catalogue without translations."""
    catalogue = Catalog(project="bellwether", charset="utf-8")
    for message in messages():
        catalogue.add(message)
    return catalogue


def renew(language: str) -> None:
    """Bring one language's file up to the source."""
    path = _ROOM / "i18n" / f"{language}.po"
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    else:
        catalogue = Catalog(locale=language, project="bellwether", charset="utf-8")
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalogue, omit_header=False, no_location=True, sort_output=True, width=100)


if __name__ == "__main__":
    for name in LANGUAGES:
        if name != SOURCE_LANGUAGE:
            renew(name)
