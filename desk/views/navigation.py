"""Entries of the navigation, shown to those who may open them."""

from collections.abc import Callable
from dataclasses import dataclass

from access.roles import Action
from desk.i18n.words import Words
from desk.views.marks import Link


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the navigation; the first action is enough to see it."""

    path: str
    label: Callable[[Words], str]
    action: Action


ENTRIES: tuple[Entry, ...] = (
    Entry("/worklist", lambda words: words("Worklist"), Action.VIEW_STUDENTS),
    Entry("/students", lambda words: words("Students"), Action.VIEW_STUDENTS),
    Entry("/cohort", lambda words: words("Cohort"), Action.VIEW_COHORTS),
    Entry("/board", lambda words: words("Interventions"), Action.VIEW_STUDENTS),
    Entry("/unassigned", lambda words: words("Unassigned"), Action.CHANGE_ASSIGNMENTS),
)


def navigation(
    path: str, may: Callable[[Action], bool], url: Callable[[str], str], words: Words
) -> tuple[Link, ...]:
    """Return the entries for one person; the one above `path` is current."""
    return tuple(
        Link(
            entry.label(words),
            url(entry.path),
            path == entry.path or path.startswith(entry.path + "/"),
        )
        for entry in ENTRIES
        if may(entry.action)
    )
