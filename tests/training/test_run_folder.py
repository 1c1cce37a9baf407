"""Run folders appear whole or not at all."""

from pathlib import Path

import pytest

from training.run_folder import FILES, RECORD, RunFolder, RunFolderError, new_run_folder


def _old_run(path: Path) -> Path:
    path.mkdir()
    (path / RECORD).write_text("old", encoding="utf-8")
    return path


def test_a_finished_run_appears_under_its_name(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "new"
    with new_run_folder(out) as folder:
        (folder / "file").write_text("content", encoding="utf-8")
        assert not out.exists()
    assert (out / "file").read_text(encoding="utf-8") == "content"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_run_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(out: Path) -> None:
        with new_run_folder(out) as folder:
            (folder / "half").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fail(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    out = _old_run(tmp_path / "run")
    with pytest.raises(RunFolderError, match="holds a run already"), new_run_folder(out):
        pass
    assert (out / RECORD).read_text(encoding="utf-8") == "old"


def test_a_run_gives_way_once_the_new_one_is_complete(tmp_path: Path) -> None:
    out = _old_run(tmp_path / "run")
    with new_run_folder(out, overwrite=True) as folder:
        (folder / RECORD).write_text("new", encoding="utf-8")
        assert (out / RECORD).read_text(encoding="utf-8") == "old"
    assert (out / RECORD).read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with (
        pytest.raises(RunFolderError, match="is no run folder"),
        new_run_folder(tmp_path, overwrite=True),
    ):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with new_run_folder(out) as folder:
        (folder / "file").touch()
    assert (out / "file").exists()


def test_what_is_no_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="bellwether train"):
        RunFolder(tmp_path / "absent")


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).touch()
    (tmp_path / "score.keras").unlink()
    with pytest.raises(RunFolderError, match=r"lacks score\.keras"):
        RunFolder(tmp_path)


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"run\.json is not what this version writes"):
        _ = RunFolder(tmp_path).record
