"""Write a report: HTML to read and print, tables as CSV and Markdown, figures as SVG and PNG."""

from importlib import resources
from pathlib import Path

import vl_convert
from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from records.errors import BellwetherError
from report.figures import Figure, run_figures
from report.source import read_source
from report.tables import joined, run_tables
from training.run_folder import RunFolder

HTML, MARKDOWN = "report.html", "report.md"
TABLES, FIGURES = "tables", "figures"
_SCALE = 2.0


class ReportError(BellwetherError):
    """A report cannot be written where it was asked for."""


def write_report(run: RunFolder, out: Path) -> Path:
    """Write the report of a run.

    Args:
        run: A finished run.
        out: Folder; files of an earlier report give way.

    Returns:
        The HTML file; it needs no other file and no network.

    Raises:
        ReportError: `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise ReportError(f"{out} is a file; name a folder.")
    source = read_source(run)
    tables, figures = run_tables(run), run_figures(source)
    for folder in (TABLES, FIGURES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for table in tables:
        (out / TABLES / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    drawn = {figure.name: _draw(figure, out / FIGURES) for figure in figures}
    heading = f"# Report of the run '{run.record.name}'\n\n"
    (out / MARKDOWN).write_text(heading + joined(tables), encoding="utf-8")
    template = Environment(
        undefined=StrictUndefined,
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string((resources.files("report") / "report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        run=run, contract=run.contract, tables=tables, figures=figures, drawn=drawn
    )
    (out / HTML).write_text(page, encoding="utf-8")
    return out / HTML


def _draw(figure: Figure, folder: Path) -> Markup:
    """Write one figure as SVG and PNG and return the SVG, to stand in the page."""
    titled = figure.chart.properties(title=figure.title).configure(
        font="Helvetica, Arial, sans-serif", background="white"
    )
    specification = titled.to_json()
    (folder / f"{figure.name}.png").write_bytes(
        vl_convert.vegalite_to_png(specification, scale=_SCALE)
    )
    svg = vl_convert.vegalite_to_svg(specification)
    (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
    bare = figure.chart.configure(font="Helvetica, Arial, sans-serif", background="white")
    return Markup(vl_convert.vegalite_to_svg(bare.to_json()))  # noqa: S704 - drawn here
