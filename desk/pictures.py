"""Photograph pages of a running desk for the documents.

    python -m desk.pictures LINK [--out docs/pictures]

LINK is the adviser's link that `make serve` prints; it works once. Needs Chromium and Playwright, which
the developers' environment has.
"""

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

_WIDE: "ViewportSize" = {"width": 1440, "height": 900}
_PHONE: "ViewportSize" = {"width": 390, "height": 844}


def photograph(link: str, out: Path) -> list[Path]:
    """Sign in by the link and photograph worklist, first student and cohort.

    Args:
        link: One-time link of an adviser.
        out: Folder; it is made where it is missing.

    Returns:
        The files.

    Raises:
        FileNotFoundError: There is no Chromium.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a tool of developers

    browser_path = shutil.which("chromium")
    if browser_path is None:
        raise FileNotFoundError("chromium is not installed; `.ci/packages` installs it.")
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def shoot(page: Any, name: str) -> None:
        page.wait_for_load_state("networkidle")
        written.append(out / f"desk-{name}.png")
        page.screenshot(path=written[-1])

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport=_WIDE, color_scheme="light")
        page.goto(link)
        page.click("main button")
        page.wait_for_url("**/worklist**")
        shoot(page, "worklist")
        page.set_viewport_size(_PHONE)
        page.emulate_media(color_scheme="dark")
        shoot(page, "worklist-phone-dark")
        page.set_viewport_size(_WIDE)
        page.emulate_media(color_scheme="light")
        page.click("main a[href*='/students/']")
        shoot(page, "student")
        page.goto(f"{link.split('/sign-in/', maxsplit=1)[0]}/cohort")
        shoot(page, "cohort")
        browser.close()
    return written


def main() -> None:
    """Photograph the desk behind a link."""
    parser = argparse.ArgumentParser(description="Photograph pages of a running desk.")
    parser.add_argument("link", help="The adviser's link that `make serve` prints.")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    asked = parser.parse_args()
    for path in photograph(asked.link, asked.out):
        print(path)  # noqa: T201 - a command


if __name__ == "__main__":
    main()
