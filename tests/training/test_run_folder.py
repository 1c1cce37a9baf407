"""Run folders are recognised by their content; `records.files.replace` writes them."""

from pathlib import Path

import pytest

from records.files.replace import ReplaceError, check_owned
from training.run_folder import FILES, RECORD, RUN, RunFolder, RunFolderError


def test_a_real_run_is_recognised_and_nothing_that_only_looks_like_one(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    check_owned(run_folder.path, RUN)
    (tmp_path / RECORD).write_text('{"name": "another program\'s run"}', encoding="utf-8")
    with pytest.raises(ReplaceError, match="is no run"):
        check_owned(tmp_path, RUN)


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
