"""What surrounds every page: navigation, who is signed in, appearance, language, messages."""

from dataclasses import dataclass

from desk.forms import Choice
from desk.views.marks import Link


@dataclass(frozen=True, slots=True)
class Frame:
    """The surroundings of one page.

    Attributes:
        here: Path and query of the page, to come back to.
        freshness: Up to when records reach.
        form_token: Proof that a form came from a page of this session; empty where there is none.
        message: What the last action did; empty for none.
        version: Versions of model and policy behind the estimates shown.
    """

    language: str
    theme: str
    here: str
    navigation: tuple[Link, ...]
    person: str
    roles: str
    freshness: str
    form_token: str
    message: str
    version: str
    themes: tuple[Choice, ...]
    languages: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A page that says one thing: an error, a confirmation."""

    title: str
    text: str
    link: Link | None = None
