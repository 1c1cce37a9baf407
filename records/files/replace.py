"""Write folders and files whole, and replace only what Bellwether itself has written.

A new folder is made beside its place and renamed into it once it is complete. What it replaces is
recognised by its content, renamed aside, and deleted after the new one is in place: after any failure
wrong, one of the two is there. Never replaced are the current folder and its parents, symbolic
links, and folders that hold anything else, be it a single file.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from records.errors import BellwetherError


class ReplaceError(BellwetherError):
    """Something is in the way of what is to be written; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class FolderKind:
    """A kind of folder that Bellwether writes, and may therefore replace.

    Attributes:
        name: What messages call it, such as 'run'.
        holds: Patterns of the files below it, such as 'tables/*.csv'; `*` stays within a name.
        recognise: Tells by the content of a folder whether it is of this kind.
    """

    name: str
    holds: tuple[str, ...]
    recognise: Callable[[Path], bool]


def json_object_with(path: Path, keys: Collection[str]) -> bool:
    """Return whether `path` is a JSON file whose object has all of `keys`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and set(keys) <= content.keys()


def check_free(out: Path, kind: FolderKind, *, overwrite: bool = False) -> Path:
    """Check that a folder of `kind` may be written to `out`.

    Args:
        out: Where it shall be.
        kind: What is to be written.
        overwrite: Whether an earlier folder of the same kind may be replaced.

    Returns:
        `out` as an absolute path.

    Raises:
        ReplaceError: Something is there that may not be replaced.
    """
    if out.is_symlink():
        raise ReplaceError(f"{out} is a symbolic link; name the folder that it points to.")
    target, here = out.resolve(), Path.cwd()
    if target == here or target in here.parents:
        place = "the current folder" if target == here else "a parent of the current folder"
        raise ReplaceError(f"{out} is {place}, which is never replaced; name a folder below it.")
    if not target.exists():
        return target
    if not target.is_dir():
        raise ReplaceError(f"{out} is a file; name a folder.")
    if any(target.iterdir()):
        check_owned(target, kind)
        if not overwrite:
            raise ReplaceError(
                f"{out} holds a {kind.name} already; choose another name or replace it "
                "(--overwrite)."
            )
    return target


def check_owned(folder: Path, kind: FolderKind) -> None:
    """Check that `folder` is of `kind` and that it holds nothing else.

    Raises:
        ReplaceError: It is something else, or holds files or links that do not belong to it.
    """
    if not kind.recognise(folder):
        raise ReplaceError(f"{folder} exists and is no {kind.name}; choose another name.")
    foreign = sorted(str(path.relative_to(folder)) for path in _foreign(folder, kind))
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ReplaceError(
            f"{folder} also holds what does not belong to a {kind.name} "
            f"({', '.join(foreign[:3])}{more}); move it away or choose another name."
        )


def check_not_an_input(out: Path, inputs: Iterable[Path]) -> None:
    """Check that the file `out`, which will be written, is none of the files that are read.

    Raises:
        ReplaceError: It is one of them, under any name.
    """
    for path in inputs:
        same = out.resolve() == path.resolve()
        if same or (out.exists() and path.exists() and out.samefile(path)):
            raise ReplaceError(f"{out} is read as an input; choose another name to write to.")


@contextmanager
def new_folder(out: Path, kind: FolderKind, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder to write into; it becomes `out` if the block raises nothing.

    Args:
        out: Where the folder shall be.
        kind: What is written.
        overwrite: Whether an earlier folder of the same kind is replaced.

    Raises:
        ReplaceError: Something is there that may not be replaced.
    """
    target = check_free(out, kind, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(target)
    draft.mkdir()
    try:
        yield draft
        check_free(out, kind, overwrite=overwrite)
        _put(draft, target, kind)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_file(out: Path, text: str, *, name: str, recognise: Callable[[Path], bool]) -> None:
    """Write a text file whole; an earlier file gives way if it is of the same kind.

    Args:
        out: Where it shall be; a device or a pipe is written to as it is.
        text: Its content.
        name: What messages call such a file.
        recognise: Tells by the content of a file whether it is of this kind.

    Raises:
        ReplaceError: Something else is there.
    """
    if out.exists() and not out.is_file() and not out.is_dir():
        out.write_text(text, encoding="utf-8")
        return
    if out.is_symlink():
        raise ReplaceError(f"{out} is a symbolic link; name the file that it points to.")
    if out.is_dir():
        raise ReplaceError(f"{out} is a folder; name a file in it.")
    if out.exists() and not recognise(out):
        raise ReplaceError(f"{out} exists and is no {name}; choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(out)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _put(draft: Path, target: Path, kind: FolderKind) -> None:
    """Rename `draft` to `target`; what was there is deleted last."""
    if not target.exists() or not any(target.iterdir()):
        draft.rename(target)
        return
    old = _beside(target)
    target.rename(old)
    try:
        check_owned(old, kind)  # again: under this name nothing is added to it
        draft.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}-{uuid.uuid4().hex}")


def _foreign(folder: Path, kind: FolderKind) -> Iterator[Path]:
    patterns = [PurePath(pattern).parts for pattern in kind.holds]
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            parts = path.relative_to(folder).parts
            depth = len(parts) if name in files else None
            if path.is_symlink() or not _fits(parts, patterns, depth):
                yield path


def _fits(parts: tuple[str, ...], patterns: list[tuple[str, ...]], depth: int | None) -> bool:
    """Return whether a path matches a pattern, or for a folder the beginning of one."""
    return any(
        len(pattern) == depth if depth else len(pattern) > len(parts)
        for pattern in patterns
        if all(fnmatchcase(part, wanted) for part, wanted in zip(parts, pattern, strict=False))
    )
