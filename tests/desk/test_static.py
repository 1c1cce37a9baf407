import hashlib
import re

from desk.rendering import STATIC, static_file, static_names
from tests.desk.running_desk import RunningDesk

# As npm delivers htmx.org 4.0.1 (dist/htmx.min.js).
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"


def test_the_vendored_script_is_the_published_one_and_has_its_licence() -> None:
    script = (STATIC / "vendor" / "htmx-4.0.1.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == HTMX
    assert "Zero-Clause BSD" in (STATIC / "vendor" / "htmx-LICENSE.txt").read_text("utf-8")


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name in static_names():
        content, kind = static_file(name) or (b"", "")
        if "vendor" not in name and kind != "image/svg+xml":
            assert not re.search(rb"https?://|@import|url\(", content), name


def test_no_template_has_inline_styles_scripts_or_handlers() -> None:
    for path in (STATIC.parent / "templates").rglob("*.html"):  # type: ignore[attr-defined]
        text = path.read_text("utf-8")
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", text), path.name


def test_a_file_named_with_its_fingerprint_is_stored_for_ever(empty_desk: RunningDesk) -> None:
    with empty_desk.visitor() as visitor:
        page = visitor.get("/sign-in").text
        found = re.search(r'href="(/static/desk\.css\?v=[0-9a-f]+)"', page)
        assert found is not None
        assert "immutable" in visitor.get(found[1]).headers["cache-control"]
        assert "immutable" not in visitor.get("/static/desk.css").headers["cache-control"]
        assert visitor.get("/static/../settings.py").status_code == 404
        assert visitor.get("/static/vendor/%2e%2e/desk.css").status_code == 404
