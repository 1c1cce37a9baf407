"""No command loses what it did not write, whatever `--out` and `--overwrite` say."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from records.files.replace import ReplaceError
from training.run_folder import RunFolder

# Command -> arguments before `--out`, given a run and a bundle.
COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "train": lambda _run, _bundle: ["--students", "60", "--overwrite", "--baselines", "none"],
    "export": lambda run, _bundle: [str(run), "--overwrite", "--no-save"],
    "report": lambda run, _bundle: [str(run)],
    "evaluate": lambda _run, bundle: [str(bundle), "--students", "60"],
}
WORK = {
    "thesis.txt": "years of work",
    "manifest.json": '{"manifest": "of another program"}',
    "run.json": '{"run": "of another program"}',
    "report.md": "# Report of the board\n",
    "report.html": "<p>mine",
    "evaluation.json": "{}",
}


def _folder(path: Path) -> Path:
    path.mkdir()
    for name, text in WORK.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ReplaceError), result.output
    return str(result.exception)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_foreign_folder_a_link_and_the_current_folder_stay(
    command: str,
    run_folder: RunFolder,
    bundle_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = _folder(tmp_path / "mine")
    (tmp_path / "link").symlink_to(mine)
    before = _content(tmp_path)
    monkeypatch.chdir(mine)
    arguments = [command, *COMMANDS[command](run_folder.path, bundle_dir), "--out"]

    assert "current folder" in _refused(*arguments, ".")
    assert "current folder" in _refused(*arguments, "..")
    assert "symbolic link" in _refused(*arguments, "../link")
    monkeypatch.chdir(tmp_path)
    assert "exists and is no" in _refused(*arguments, "mine")
    assert _content(tmp_path) == before


def test_a_run_with_ones_own_notes_in_it_stays(run_folder: RunFolder, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder.path, tmp_path / "run"))
    (run / "notes.md").write_text("years of work", encoding="utf-8")
    before = _content(run)

    assert "notes.md" in _refused("train", "--students", "60", "--overwrite", "--out", str(run))
    assert _content(run) == before


def test_a_file_of_another_kind_stays(run_folder: RunFolder, tmp_path: Path) -> None:
    mine = tmp_path / "marks.json"
    mine.write_text('{"marks": [1, 2]}', encoding="utf-8")

    assert "is no request" in _refused("request", str(run_folder.path), "--out", str(mine))
    assert "input" in _refused("reference", "--data", str(mine), "--out", str(mine))
    assert mine.read_text(encoding="utf-8") == '{"marks": [1, 2]}'


def test_rejected_rows_do_not_go_into_the_table_they_come_from(tmp_path: Path) -> None:
    table = tmp_path / "run.rejected.csv"
    table.write_text("id,period\n", encoding="utf-8")
    arguments = ["train", "--data", str(table), "--contract", "simulated"]
    arguments += ["--on-error", "reject-rows", "--out", str(tmp_path / "run")]

    assert "input" in _refused(*arguments)
    assert table.read_text(encoding="utf-8") == "id,period\n"
