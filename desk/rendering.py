"""Draw pages: Jinja templates with escaping, in the reader's language, with files that never change."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from desk.i18n.words import Words
from desk.views.frame import Frame
from theme import tokens

STATIC = files("desk") / "static"
STYLESHEET = "desk.css"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class Renderer:
    """Draws templates.

    Args:
        base_path: Path below which a proxy shows the desk; empty for none.
    """

    def __init__(self, base_path: str) -> None:
        self._base = base_path
        self._environment = Environment(
            loader=PackageLoader("desk", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["url"] = self.url
        self._environment.globals["asset"] = self.asset

    def url(self, path: str) -> str:
        """Return the address of a path of the desk."""
        return self._base + path

    def asset(self, name: str) -> str:
        """Return the address of a static file; it changes with the file, so that it can be cached."""
        return f"{self._base}/static/{name}?v={fingerprint(name)}"

    def page(self, template: str, view: object, frame: Frame, words: Words) -> str:
        """Draw a page or a fragment.

        Args:
            template: Path below `templates`.
            view: What the page shows.
            frame: What surrounds it.
            words: Language.
        """
        drawn: Any = self._environment.get_template(template)
        text: str = drawn.render(view=view, frame=frame, _=words, many=words.many)
        return text


@cache
def fingerprint(name: str) -> str:
    """Return the beginning of a static file's SHA-256."""
    return hashlib.sha256(_content(name)).hexdigest()[:12]


def static_file(name: str) -> tuple[bytes, str] | None:
    """Return a static file's bytes and media type; None where there is no such file."""
    if name not in static_names():
        return None
    suffix = "." + name.rsplit(".", 1)[-1]
    return _content(name), _TYPES.get(suffix, "application/octet-stream")


@cache
def static_names() -> frozenset[str]:
    """List the static files: what is not here is not served, whatever a path says."""
    top = [entry.name for entry in STATIC.iterdir() if entry.is_file()]
    vendor = [f"vendor/{entry.name}" for entry in (STATIC / "vendor").iterdir()]
    return frozenset(top + vendor)


@cache
def _content(name: str) -> bytes:
    content = (STATIC / name).read_bytes()
    # The tokens are shared with the report; the desk's own rules follow them in one file.
    return tokens.stylesheet().encode() + content if name == STYLESHEET else content
