"""The report of a real run: complete, self-contained, and without any student's id."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from records.files.replace import ReplaceError
from report.complexity import ComplexityError, Measured, read_measured
from report.complexity import table as complexity_table
from report.contribution import Contribution
from report.figures.drawing import specification
from report.figures.reading import contribution_figure, contribution_table
from report.figures.risk import wilson
from report.sections import sections
from report.tables import Table
from report.write import HTML, MARKDOWN, write_report
from theme import tokens
from training.run_folder import COMPLEXITY, RunFolder

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def out(run_folder: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert write_report(run_folder, folder) == folder / HTML
    return folder


def test_the_page_needs_no_other_file_and_no_network(out: Path) -> None:
    page = (out / HTML).read_text(encoding="utf-8")
    asked_for = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)""", page)
    assert all(link.startswith("#") for link in asked_for)
    assert "@import" not in page
    assert "<script" not in page


def test_every_figure_is_drawn_and_told_in_words(out: Path) -> None:
    page = (out / HTML).read_text(encoding="utf-8")
    names = {path.stem for path in (out / "figures").glob("*.svg")}
    wanted = {
        *("metric_bars", "loss_risk", "loss_score", "accuracy_risk", "confusion", "reliability"),
        *("lift", "auc_by_period", "trajectories", "predicted_against_actual", "error_histogram"),
        *("predicted_by_sample", "correlation_risk", "correlation_score"),
        *("attention", "coverage", "base_rates", "contribution_risk", "contribution_score"),
    }
    assert wanted <= names
    for name in names:
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(PNG)
        told = re.search(rf'id="figure-{name}" aria-label="([^"]+)"', page)
        assert told is not None
        assert len(told[1]) > 20
    assert page.count("<svg") == len(names)


def test_the_page_links_to_every_section_and_holds_every_table_once(out: Path) -> None:
    page = (out / HTML).read_text(encoding="utf-8")
    links = re.findall(r'<li><a href="#([a-z]+)">', page)
    assert links == re.findall(r'<section id="([a-z]+)">', page)
    for path in (out / "tables").glob("*.csv"):
        assert len(re.findall(rf'class="table(?: broad)?" id="{path.stem}"', page)) == 1


def test_the_page_begins_with_a_summary_and_follows_the_theme(out: Path) -> None:
    page = (out / HTML).read_text(encoding="utf-8")
    summary = page[page.index('class="summary"') : page.index("<nav")]
    assert 3 <= summary.count("<li>") <= 5
    assert "light-dark(" in page
    drawn = page[page.index("<main>") :]
    assert "var(--ink)" in drawn
    assert tokens.light("series-1") not in drawn
    # A file of its own stands on white, in the light theme's colours.
    alone = (out / "figures" / "lift.svg").read_text(encoding="utf-8")
    assert "var(--" not in alone
    assert tokens.light("series-1") in alone


def test_wilsons_interval_holds_its_share_and_narrows() -> None:
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)


def test_a_table_without_a_place_is_no_report() -> None:
    with pytest.raises(ValueError, match="'riskier' has no place"):
        sections([Table("riskier", "T", ("a",), ((1,),))], [])


def test_measured_time_and_memory_join_the_report_where_the_run_holds_them(
    run_folder: RunFolder, out: Path, tmp_path: Path
) -> None:
    assert "Time and memory" not in (out / HTML).read_text(encoding="utf-8")
    run = RunFolder(shutil.copytree(run_folder.path, tmp_path / "run"))
    measured = [
        Measured(model, students, periods, students * periods / 1000, 3.0, 20.0)
        for model in ("ridge", "lstm")
        for students, periods in ((100, 4), (200, 4), (200, 2))
    ]
    (run.path / COMPLEXITY).write_text(complexity_table(measured).csv(), encoding="utf-8")
    assert read_measured(run.path / COMPLEXITY) == measured
    page = write_report(run, tmp_path / "out").read_text(encoding="utf-8")
    assert "Time and memory" in page
    for name in ("complexity_time", "complexity_memory"):
        assert f'id="figure-{name}"' in page
    (run.path / COMPLEXITY).write_text("model,seconds\nridge,1\n", encoding="utf-8")
    with pytest.raises(ComplexityError, match="has other columns; remove it"):
        write_report(run, tmp_path / "out")


def test_tables_hold_the_runs_own_numbers(out: Path, run_folder: RunFolder) -> None:
    with (out / "tables" / "risk.csv").open(encoding="utf-8") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    last = run_folder.metrics.risk.network.last
    assert float(rows["network"]["AUC"]) == last.auc
    assert float(rows["paper A: LSTM *"]["accuracy"]) == pytest.approx(0.924)
    assert rows["paper A: LSTM *"]["AUC"] == ""
    markdown = (out / MARKDOWN).read_text(encoding="utf-8")
    for path in (out / "tables").glob("*.csv"):
        header = next(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        assert f"| {' | '.join(header)} |" in markdown


def test_no_id_of_a_student_leaves_the_run(out: Path, run_folder: RunFolder) -> None:
    texts = [path.read_text(encoding="utf-8") for path in out.rglob("*") if path.suffix != ".png"
             and path.is_file()]  # fmt: skip
    for name in set(run_folder.predictions("risk").ids.tolist()):
        assert not any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)


def test_a_file_in_the_way_is_not_touched(run_folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ReplaceError, match="is a file"):
        write_report(run_folder, tmp_path / "mine")


def test_cells_that_are_undefined_say_so_to_people_and_stay_empty_in_files() -> None:
    table = Table("t", "T", ("model", "AUC", "records"), (("network", None, 1200),))
    assert table.shown() == [["network", "n/a", "1,200"]]
    assert table.csv() == "model,AUC,records\nnetwork,,1200\n"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    table = Table("t", "T", ("model", "rise"), (("a", -0.0004), ("b", -0.0006), ("c", -0.0)))
    assert [cell for _, cell in table.shown()] == ["0.000", "-0.001", "0.000"]


def test_spans_in_which_nothing_is_known_are_neither_listed_nor_drawn() -> None:
    by_span = np.array([[0.3, 0.1, np.nan], [0.2, np.nan, np.nan]])
    spans = ((1, 2), (3, 4), (5, 6))
    found = Contribution("error", 40, spans, np.array([0.4, 0.2]), by_span)
    table = contribution_table("score", found, ["Mark", "Hours"], "week")
    assert table.header == ("feature", "all periods", "week 1–2", "week 3–4")  # noqa: RUF001
    assert table.rows == (("Mark", 0.4, 0.3, 0.1), ("Hours", 0.2, 0.2, None))
    attention = np.tril(np.full((6, 6), 1.0)) / np.arange(1, 7)[:, None]
    drawn = contribution_figure("score", found, ["Mark", "Hours"], "week", attention)
    content = json.loads(specification(drawn, titled=False))
    bars, _ = content["vconcat"]
    values = content["datasets"][bars["data"]["name"]]
    # Of the forecast after week 4: a quarter to each of its weeks.
    assert values == [
        {"span": "1–2", "attention": 0.25},  # noqa: RUF001
        {"span": "3–4", "attention": 0.25},  # noqa: RUF001
    ]


def test_the_report_says_whether_reasons_and_what_if_can_be_shown(out: Path) -> None:
    with (out / "tables" / "reasons_deletion.csv").open(encoding="utf-8", newline="") as file:
        curve = list(csv.DictReader(file))
    assert [row["groups"] for row in curve] == ["1", "2", "3", "4", "5"]
    assert all(float(row["difference"]) >= -1e-4 for row in curve)
    with (out / "tables" / "reasons_levers.csv").open(encoding="utf-8", newline="") as file:
        levers = {row["improved"]: row for row in csv.DictReader(file)}
    assert set(levers) == {"attendance", "assignments", "internal_marks", "quiz", "engagement"}
    for row in levers.values():
        is_hidden = int(row["records"]) >= 20 and float(row["estimate rose"]) > 0.05
        assert row["what-if"] == ("hidden" if is_hidden else "offered")
