"""Read a TOML file into a Pydantic model, with messages that name the line.

The standard parser reports no lines, and no kept library that does also validates, so the
line of a key is found by walking the text once: enough for files that have already parsed.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from records.errors import ContractError

Model = TypeVar("Model", bound=BaseModel)
Key = str | int

# Where pydantic speaks programmers' words: these files are edited by others too.
_PLAINLY = {
    "extra_forbidden": "there is no such key; is it misspelt, or does it belong elsewhere?",
    "missing": "is missing",
}

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_PART = r"""(?:"[^"]+"|'[^']+'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"^\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")


def read_toml(path: Path, model: type[Model]) -> Model:
    """Parse and validate the file at `path`.

    Raises:
        ContractError: The file is absent, is not UTF-8 TOML, or breaks the model's rules; the
            message lists every fault as `file:line: key: what was expected`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ContractError(f"{path}: no such file.") from None
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    return parse_toml(text, model, name=str(path))


def parse_toml(text: str, model: type[Model], *, name: str) -> Model:
    """Parse and validate TOML text; `name` stands for the file in messages.

    Raises:
        ContractError: As `read_toml`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{name}: {error}") from None
    except RecursionError:
        raise ContractError(f"{name}: nested too deeply; a table needs two levels.") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = line_of_keys(text)
        faults = [
            f"{name}:{_nearest_line(lines, fault['loc'])}: {_dotted(fault['loc'])}: "
            f"{_PLAINLY.get(fault['type'], fault['msg'].removeprefix('Value error, '))}"
            for fault in error.errors()
        ]
        raise ContractError("\n".join(faults)) from None


def line_of_keys(text: str) -> dict[tuple[Key, ...], int]:
    """Map each table and key of a valid TOML text to its line, counted from 1."""
    lines: dict[tuple[Key, ...], int] = {(): 1}
    counts: dict[tuple[Key, ...], int] = {}
    table: tuple[Key, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = ()
            parts = _parts(header[2])
            for position, part in enumerate(parts):
                table = (*table, part)
                last = position == len(parts) - 1
                if last and header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            dotted = _parts(key[1])
            for depth in range(1, len(dotted) + 1):
                lines.setdefault((*table, *dotted[:depth]), number)
    return lines


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _nearest_line(lines: dict[tuple[Key, ...], int], location: Sequence[Key]) -> int:
    where = tuple(location)
    while where not in lines:
        where = where[:-1]
    return lines[where]


def _dotted(location: Sequence[Key]) -> str:
    return ".".join(str(part) for part in location) or "file"
