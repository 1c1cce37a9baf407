"""Links and paths in documents, docstrings and comments lead to something that exists."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.prose import Passage, files, passages

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\s]+)`")
_ROOMS = frozenset(
    path.name for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(".")
) - {"build", "runs", "out", "shared"}  # fmt: skip
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)+/?")
_DOTTED = re.compile(r"[a-z_]\w*(\.\w+)+")


def test_every_link_of_a_document_leads_to_a_file_and_a_heading() -> None:
    faults = [
        f"{passage.file}:{passage.line}: {link}"
        for passage in passages()
        if passage.file.endswith(".md")
        for link in _links(passage)
        if not _leads_somewhere(REPOSITORY / passage.file, link)
    ]

    assert not faults, "\n".join(faults)


def test_every_path_and_module_that_prose_names_exists() -> None:
    faults = [
        f"{passage.file}:{passage.line}: {name}"
        for passage in passages()
        if not passage.file.startswith("CHANGELOG")
        for name in _QUOTED.findall(passage.text)
        if not (_exists_as_path(name) and _exists_as_module(name))
    ]

    assert not faults, "\n".join(faults)


def test_dead_links_and_stale_names_are_seen() -> None:
    readme = REPOSITORY / "README.md"

    assert _leads_somewhere(readme, "docs/records.md")
    assert not _leads_somewhere(readme, "docs/absent.md")
    assert not _leads_somewhere(readme, "docs/records.md#no-such-heading")
    assert _exists_as_path("records/files/replace.py")
    assert not _exists_as_path("records/absent.py")
    assert _exists_as_module("records.files.replace.new_folder")
    assert _exists_as_module("records.files.replace.FolderKind.holds")
    assert not _exists_as_module("records.absent")
    assert not _exists_as_module("records.files.replace.absent")


def _links(passage: Passage) -> Iterator[str]:
    for groups in _LINK.findall(passage.text):
        link = next(filter(None, groups))
        if not re.match(r"[a-z]+:", link):
            yield link


def _leads_somewhere(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


@cache
def _anchors(document: Path) -> frozenset[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return frozenset(text.strip().replace(" ", "-") for text in plain)


def _exists_as_path(name: str) -> bool:
    """Return whether a name is no path of ours, or one that exists."""
    if not _PATH.fullmatch(name) or name.split("/", maxsplit=1)[0] not in _ROOMS:
        return True
    # Tests are also named from the top of their own folder.
    return any(list(place.glob(name.rstrip("/"))) for place in (REPOSITORY, REPOSITORY / "tests"))


def _exists_as_module(name: str) -> bool:
    """Return whether a name is no module of ours, or one that exists, with what it names there."""
    parts = name.split(".")
    if name in _scopes():
        return True
    if not _DOTTED.fullmatch(name) or parts[0] not in _ROOMS or parts[-1] in _SUFFIXES:
        return True
    place = REPOSITORY
    for at, part in enumerate(parts):
        if (place / part).is_dir():
            place /= part
            continue
        module = (place / part).with_suffix(".py")
        if not module.is_file():  # or a name that the package itself has
            return _defines(place / "__init__.py", part)
        return all(_defines(module, rest) for rest in parts[at + 1 :])
    return True


@cache
def _scopes() -> frozenset[str]:
    """Return the names of rights and of audited actions, which look like modules."""
    sources = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "access").rglob("*.py"))
    return frozenset(re.findall(r"\"([a-z_]+\.[a-z_.]+)\"", "\n".join(sources)))


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(path.suffix[1:] for path in files(".py", ".md", ".toml", ".json", ".yaml"))


_SUFFIXES = _suffixes() | {"js", "css", "svg", "png", "csv", "parquet", "onnx", "keras", "html"}


def _defines(module: Path, name: str) -> bool:
    if not module.is_file():
        return False
    text = module.read_text(encoding="utf-8")
    return bool(re.search(rf"\b(def|class) {name}\b|^\s*{name}\b\s*[:=]|\b{name}\b", text, re.M))
