"""The project's prose: documents, docstrings and comments, with where each stands."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of prose.

    Attributes:
        file: Path from the top of the repository.
        line: Its first line.
        text: The text.
    """

    file: str
    line: int
    text: str


def files(*suffixes: str) -> Iterator[Path]:
    """Yield the files that belong to the project, tracked or new, with one of the suffixes."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in sorted(set(listed.stdout.splitlines())):
        path = REPOSITORY / name
        if path.suffix in suffixes and path.is_file():
            yield path


def passages() -> Iterator[Passage]:
    """Yield all prose: paragraphs of documents, docstrings, and comments."""
    for path in files(".md"):
        yield from _document(path)
    for path in files(".py"):
        yield from _source(path)


def _document(path: Path) -> Iterator[Passage]:
    name, is_code = str(path.relative_to(REPOSITORY)), False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield Passage(name, number, line)


def _source(path: Path) -> Iterator[Passage]:
    name, text = str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node, clean=False)
            first = node.body[0].lineno if found else 0
            for number, line in enumerate((found or "").splitlines(), start=first):
                yield Passage(name, number, line)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(name, token.start[0], token.string)
