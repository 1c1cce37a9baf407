"""Prose is plain professional English: states of programs are not told as states of persons."""

import re
from pathlib import Path

from tests.prose import passages

# Word -> what to write instead.
BANNED = {
    "whoever": "name the thing: the caller, the process, the first thread",
    "nobody": "no process, no client, none",
    "who dies": "a dead worker, a process that ends",
    "who has gone": "a client that has disconnected",
    "has gone": "has disconnected, is absent",
    "have gone": "have disconnected, are absent",
    "is told": "receives, is given, is notified",
    "are told": "receive, are given, are notified",
    "was told": "received",
    "says so itself": "reports it",
    "takes turns": "alternates, is scheduled",
    "take turns": "alternate, are scheduled",
    "who waits": "a waiting request",
    "unless told": "by default",
}
_PATTERN = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)


def _found() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for passage in passages():
        for word in _PATTERN.findall(passage.text):
            where = f"{passage.file}:{passage.line}: '{word}': write {BANNED[word.lower()]}"
            found.setdefault(passage.file, []).append(where)
    return found


def test_no_file_tells_of_programs_as_of_persons() -> None:
    # The words themselves stand here.
    here = f"tests/{Path(__file__).name}"
    faults = [line for file, lines in _found().items() if file != here for line in lines]

    assert not faults, "\n".join(faults)


def test_the_rule_sees_documents_docstrings_and_comments() -> None:
    kinds = {Path(passage.file).suffix for passage in passages()}

    assert kinds == {".md", ".py"}
    assert _PATTERN.findall("Whoever is told, and nobody else; the client has gone.") == [
        "Whoever",
        "is told",
        "nobody",
        "has gone",
    ]
