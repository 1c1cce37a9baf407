"""Write a report: HTML to read and print, tables as CSV and Markdown, figures as SVG and PNG."""

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import vl_convert
from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from records.files.replace import FolderKind, check_free, new_folder
from report.complexity import measure_all, table
from report.explanation_tables import explanation_tables
from report.fairness_tables import fairness_tables
from report.figures.drawing import Figure, specification
from report.figures.reading import contribution_table
from report.figures.run import run_figures
from report.sections import sections
from report.source import Source, read_source
from report.summary import summary
from report.tables import Table, joined, run_tables
from theme import tokens
from training.run_folder import COMPLEXITY, RunFolder

HTML, MARKDOWN = "report.html", "report.md"
TABLES, FIGURES = "tables", "figures"
_SCALE = 2.0


REPORT = FolderKind(
    "report",
    (HTML, MARKDOWN, f"{TABLES}/*.csv", f"{FIGURES}/*.svg", f"{FIGURES}/*.png"),
    lambda folder: _is_report(folder / MARKDOWN),
)
_HEADING = "# Report of the run '"


def write_report(
    run: RunFolder, out: Path, *, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Path:
    """Write the report of a run.

    Args:
        run: A finished run.
        out: Folder; an earlier report gives way, anything else stays.
        progress: Called with stage, step and number of steps.

    Returns:
        The HTML file; it needs no other file and no network.

    Raises:
        ReplaceError: Something is in the way at `out`.
    """
    check_free(out, REPORT, overwrite=True)
    progress("Asking the networks", 0, 1)
    source = read_source(run)
    progress("Asking the networks", 1, 1)
    tables, figures = _tables(source), run_figures(source)
    with new_folder(out, REPORT, overwrite=True) as folder:
        _write(run, tables, figures, folder, progress)
    return out / HTML


def report_folder(run: Path) -> Path:
    """Return where the report of a run folder lies unless another place is asked for."""
    return run.with_name(f"{run.name}-report")


def measure_complexity(run: RunFolder, progress: Callable[[str, int, int], None]) -> None:
    """Measure time and memory of the score models; the run keeps it for later reports too."""
    found = table(measure_all(progress=progress))
    (run.path / COMPLEXITY).write_text(found.csv(), encoding="utf-8")


def _write(
    run: RunFolder,
    tables: Sequence[Table],
    figures: Sequence[Figure],
    folder: Path,
    progress: Callable[[str, int, int], None],
) -> None:
    for name in (TABLES, FIGURES):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for one in tables:
        (folder / TABLES / f"{one.name}.csv").write_text(one.csv(), encoding="utf-8")
    drawn = {}
    for done, figure in enumerate(figures, start=1):
        drawn[figure.name] = _draw(figure, folder / FIGURES)
        progress("Drawing", done, len(figures))
    heading = f"{_HEADING}{run.record.name}'\n\n"
    (folder / MARKDOWN).write_text(heading + joined(tables), encoding="utf-8")
    template = Environment(
        undefined=StrictUndefined,
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string((resources.files("report") / "report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        run=run,
        contract=run.contract,
        summary=summary(run),
        sections=sections(tables, figures),
        drawn=drawn,
        tokens=tokens.stylesheet(),
    )
    (folder / HTML).write_text(page, encoding="utf-8")


def _is_report(markdown: Path) -> bool:
    try:
        return markdown.read_text(encoding="utf-8").startswith(_HEADING)
    except (OSError, ValueError):
        return False


def _tables(source: Source) -> list[Table]:
    run = source.run
    labels = [feature.label for feature in run.contract.features]
    return [
        *run_tables(run),
        *(
            contribution_table(target, found, labels, source.clock)
            for target, found in source.contributions.items()
        ),
        *explanation_tables(source.explanations),
        *fairness_tables(run.metrics),
        *([table(source.complexity)] if source.complexity else []),
    ]


def _draw(figure: Figure, folder: Path) -> Markup:
    """Write one figure as SVG and PNG; return it as SVG that follows the page's theme."""
    titled = specification(figure, titled=True)
    svg = vl_convert.vegalite_to_svg(titled)
    # Of the drawing, not of the specification: that would draw it once more.
    (folder / f"{figure.name}.png").write_bytes(vl_convert.svg_to_png(svg, scale=_SCALE))
    (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
    bare = vl_convert.vegalite_to_svg(specification(figure, titled=False))
    return Markup(tokens.follow_theme(bare))  # noqa: S704 - drawn here
