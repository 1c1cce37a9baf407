"""Draw the pictures of the documents from a finished run.

    python -m report.pictures RUN… [--out docs/pictures]

For each run: risk over time for example students, reliability, AUC by period beside the baselines,
and the top of the report as a browser shows it (Chromium through Playwright, where both are there).
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from report.write import FIGURES, HTML, write_report
from training.run_folder import RunFolder

CHOSEN = ("trajectories", "reliability", "auc_by_period")
_WIDTH, _HEIGHT = 1360, 1500
_CHROMIUM = "chromium"


def draw_pictures(run: RunFolder, out: Path) -> list[Path]:
    """Write the pictures of one run.

    Args:
        run: A finished run.
        out: Folder; it is made where it is missing.

    Returns:
        The files, named after the run; without a browser there is none of the page.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(run, Path(folder) / "report")
        for name in CHOSEN:
            written.append(out / f"{run.record.name}-{name.replace('_', '-')}.svg")
            shutil.copyfile(page.parent / FIGURES / f"{name}.svg", written[-1])
        picture = out / f"{run.record.name}-report.png"
        if _photograph(page.parent / HTML, picture):
            written.append(picture)
    return written


def _photograph(page: Path, picture: Path) -> bool:
    browser_path = shutil.which(_CHROMIUM)
    if browser_path is None:
        return False
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a tool of developers
    except ImportError:
        return False
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        shown.goto(page.resolve().as_uri())
        shown.screenshot(path=picture)
        browser.close()
    return True


def main() -> None:
    """Draw the pictures of every run that is named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("runs", nargs="+", type=Path, help="Run folders.")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    asked = parser.parse_args()
    for run in asked.runs:
        written = draw_pictures(RunFolder(run), asked.out)
        if written[-1].suffix != ".png":
            print("No browser: the page itself is not drawn.", file=sys.stderr)  # noqa: T201
        for path in written:
            print(path)  # noqa: T201 - a command


if __name__ == "__main__":
    main()
