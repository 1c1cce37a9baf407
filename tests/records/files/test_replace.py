"""Folders and files appear whole, and only what Bellwether wrote is ever replaced."""

import json
import os
from pathlib import Path

import pytest

from records.files.replace import (
    FolderKind,
    ReplaceError,
    check_not_an_input,
    check_owned,
    json_object_with,
    new_folder,
    write_file,
)

KIND = FolderKind(
    "sample",
    ("sample.json", "tables/*.csv"),
    lambda folder: json_object_with(folder / "sample.json", {"sample", "version"}),
)


def _sample(folder: Path, version: int = 1) -> Path:
    (folder / "tables").mkdir(parents=True)
    content = json.dumps({"sample": True, "version": version})
    (folder / "sample.json").write_text(content, encoding="utf-8")
    (folder / "tables" / "a.csv").write_text("a\n", encoding="utf-8")
    return folder


def _version(folder: Path) -> int:
    version: int = json.loads((folder / "sample.json").read_text(encoding="utf-8"))["version"]
    return version


def _write(out: Path, *, overwrite: bool = True) -> None:
    with new_folder(out, KIND, overwrite=overwrite) as draft:
        content = json.dumps({"sample": True, "version": 2})
        (draft / "sample.json").write_text(content, encoding="utf-8")


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_appears_under_its_name_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "new"
    with new_folder(out, KIND) as draft:
        (draft / "sample.json").touch()
        assert not out.exists()

    assert [path.name for path in out.parent.iterdir()] == ["new"]


def test_an_earlier_folder_of_the_kind_gives_way_only_when_asked(tmp_path: Path) -> None:
    out = _sample(tmp_path / "out")
    with pytest.raises(ReplaceError, match="holds a sample already"):
        _write(out, overwrite=False)
    assert _version(out) == 1
    _write(out)

    assert _content(tmp_path) == {"out/sample.json": '{"sample": true, "version": 2}'}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_earlier_folder_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    out = _sample(tmp_path / "out")
    before = _content(tmp_path)

    def fail() -> None:
        with new_folder(out, KIND, overwrite=True) as draft:
            (draft / "sample.json").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert _content(tmp_path) == before


@pytest.mark.parametrize(
    "foreign",
    ["thesis.txt", "tables/thesis.txt", "tables/deep/a.csv", "other/a.csv", ".hidden", "a.csv"],
)
def test_a_single_foreign_file_keeps_the_folder(tmp_path: Path, foreign: str) -> None:
    out = _sample(tmp_path / "out")
    (out / foreign).parent.mkdir(parents=True, exist_ok=True)
    (out / foreign).write_text("years of work", encoding="utf-8")
    before = _content(tmp_path)
    with pytest.raises(ReplaceError, match=Path(foreign).parts[0].replace(".", r"\.")):
        _write(out)

    assert _content(tmp_path) == before


def test_an_empty_foreign_folder_or_a_link_keeps_the_folder(tmp_path: Path) -> None:
    for name in ("with-folder", "with-link"):
        _sample(tmp_path / name)
    (tmp_path / "with-folder" / "notes").mkdir()
    (tmp_path / "with-link" / "tables" / "b.csv").symlink_to(tmp_path / "with-folder")
    for name in ("with-folder", "with-link"):
        with pytest.raises(ReplaceError, match="does not belong"):
            _write(tmp_path / name)


@pytest.mark.parametrize("text", ["", "{}", '{"sample": 1}', "[1]", "[" * 100_000, "\x00"])
def test_a_file_of_the_right_name_does_not_make_a_folder_ours(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "sample.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReplaceError, match="is no sample"):
        _write(out)

    assert _content(out) == {"sample.json": text}


@pytest.mark.parametrize("out", [".", "..", "../..", "below/..", "../here", "../../outer/here"])
def test_the_current_folder_and_its_parents_are_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    for folder in (tmp_path / "outer", tmp_path / "outer" / "here"):
        _sample(folder)
    monkeypatch.chdir(tmp_path / "outer" / "here")
    before = _content(tmp_path)
    with pytest.raises(ReplaceError, match="the current folder, which is never replaced"):
        _write(Path(out))

    assert _content(tmp_path) == before


def test_the_current_folder_stays_even_if_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReplaceError, match="current folder"):
        _write(Path())


def test_a_symbolic_link_is_refused_and_its_folder_stays(tmp_path: Path) -> None:
    real = _sample(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")
    for name in ("link", "dangling"):
        with pytest.raises(ReplaceError, match="symbolic link"):
            _write(tmp_path / name)

    assert _version(real) == 1


def test_a_link_above_the_folder_is_followed(tmp_path: Path) -> None:
    _sample(tmp_path / "real" / "out")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    _write(tmp_path / "link" / "out")

    assert _version(tmp_path / "real" / "out") == 2
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["out"]


def test_what_is_added_while_the_new_folder_is_made_is_kept(tmp_path: Path) -> None:
    out = _sample(tmp_path / "out")

    def meanwhile() -> None:
        with new_folder(out, KIND, overwrite=True):
            (out / "notes.txt").write_text("just now", encoding="utf-8")

    with pytest.raises(ReplaceError, match=r"notes\.txt"):
        meanwhile()
    assert _version(out) == 1
    assert (out / "notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_if_the_new_folder_cannot_be_put_in_place_the_earlier_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = _sample(tmp_path / "out")
    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="disk full"):
        _write(out)
    assert _version(out) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_used_and_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    _write(tmp_path / "empty", overwrite=False)
    with pytest.raises(ReplaceError, match="is a file"):
        _write(tmp_path / "file")

    assert _version(tmp_path / "empty") == 2


def test_a_folder_that_is_checked_only_is_left_as_it_is(tmp_path: Path) -> None:
    check_owned(_sample(tmp_path / "out"), KIND)

    assert _version(tmp_path / "out") == 1


def test_an_output_that_is_an_input_by_any_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.csv"
    table.touch()
    os.link(table, tmp_path / "hard.csv")
    (tmp_path / "soft.csv").symlink_to(table)
    monkeypatch.chdir(tmp_path)
    for name in ("table.csv", "./x/../table.csv", "hard.csv", "soft.csv"):
        with pytest.raises(ReplaceError, match="read as an input"):
            check_not_an_input(Path(name), [tmp_path / "other.csv", table])
    check_not_an_input(tmp_path / "new.csv", [table])


def _json(path: Path) -> bool:
    return json_object_with(path, {"students"})


def test_a_file_is_replaced_only_by_its_kind(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "request.json"
    for text in ('{"students": []}', '{"students": [1]}'):
        write_file(out, text, name="request", recognise=_json)
        assert out.read_text(encoding="utf-8") == text
    (tmp_path / "marks.csv").write_text("years of work", encoding="utf-8")
    (tmp_path / "link.json").symlink_to(out)
    for name, said in (("marks.csv", "no request"), ("link.json", "link"), ("deep", "a folder")):
        with pytest.raises(ReplaceError, match=said):
            write_file(tmp_path / name, "{}", name="request", recognise=_json)

    assert (tmp_path / "marks.csv").read_text(encoding="utf-8") == "years of work"
    assert [path.name for path in out.parent.iterdir()] == ["request.json"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, "text", name="request", recognise=_json)
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
