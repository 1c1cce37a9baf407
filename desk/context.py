"""What the desk is made of, and one visit to it: who came, what they asked for, how to answer."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from access.csrf import form_token
from access.operation import AccessContext, Operation, operate
from access.roles import Action, Principal, permits, scope_of
from access.sessions import SignedIn
from access.sign_in.openid import OpenIdProvider
from cases.errors import NotFoundError
from cases.scope import Scope
from database.store import Database
from desk.facts import Facts, FactsSource
from desk.forms import FormReader, whole
from desk.i18n.words import Words
from desk.rendering import Renderer
from desk.scoring_client import ScorerClient
from desk.security import Cookies
from desk.settings import Settings
from desk.views.frame import Frame


@dataclass(frozen=True)
class Desk:
    """The parts of the desk, made once by `desk.app`.

    Attributes:
        now: Clock; aware, in UTC.
    """

    settings: Settings
    database: Database
    access: AccessContext
    renderer: Renderer
    cookies: Cookies
    scorer: ScorerClient
    facts: FactsSource
    now: Callable[[], datetime]
    provider: OpenIdProvider | None = None


@dataclass
class Visit:
    """One request, from its cookies to its answer.

    Attributes:
        session: Reads; open while the request is handled.
        signed_in: The browser's session; None before sign-in.
        form: Fields of an unsafe request; empty otherwise.
        secret: What the form token is derived from: the session's cookie, or one for forms alone.
        frame: What surrounds the page.
    """

    desk: Desk
    request: Request
    form: FormData
    session: Session
    principal: Principal
    signed_in: SignedIn | None
    secret: str
    words: Words
    frame: Frame
    at: datetime

    @property
    def query(self) -> Mapping[str, str]:
        """Fields of the address."""
        return self.request.query_params

    @property
    def user_id(self) -> int:
        """Number of the person; 0 for a system or a token, so that nothing belongs to them."""
        return self.principal.user_id or 0

    @cached_property
    def facts(self) -> Facts:
        """Contract and policy in force, as far as the scoring service has answered."""
        return self.desk.facts.current()

    def url(self, path: str) -> str:
        """Return the address of a path of the desk."""
        return self.desk.renderer.url(path)

    def may(self, action: Action) -> bool:
        """Decide whether the person may do something, for whichever students."""
        return permits(self.principal, action)

    def scope(self, action: Action = Action.VIEW_STUDENTS) -> Scope:
        """Return the students for whom the person may do something."""
        return scope_of(self.principal, action)

    def number(self, name: str) -> int:
        """Return a number of the path.

        Raises:
            NotFoundError: It is none that a row can have.
        """
        found = whole(str(self.request.path_params.get(name, "")))
        if found is None:
            raise NotFoundError("There is no such page.")
        return found

    def reader(self, name: str) -> FormReader:
        """Read the form that was sent."""
        return FormReader(name, self.form, self.words)

    def back(self, otherwise: str) -> str:
        """Return the path that a form names to come back to; another one where it is none."""
        named = self.form.get("back")
        return named if isinstance(named, str) and is_own_path(named) else otherwise

    def page(self, template: str, view: object, status: int = 200) -> Response:
        """Answer with a page."""
        text = self.desk.renderer.page(f"pages/{template}", view, self.frame, self.words)
        return HTMLResponse(text, status)

    def fragment(self, template: str, view: object) -> Response:
        """Answer with a part of a page, or 304 where the browser has it already.

        Fragments hold nothing personal: they may be stored by the browser, and are asked for again
        before each use.
        """
        text = self.desk.renderer.page(f"parts/{template}", view, self.frame, self.words)
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "Cookie"}
        if tag in self.request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return HTMLResponse(text, headers=headers)

    def go(self, path: str, done: str = "") -> Response:
        """Answer with a redirect to a page of the desk, which says what was done.

        Args:
            path: Path and query; anything that is none of the desk's own leads home.
            done: Key of `desk.views.messages`.
        """
        target = path if is_own_path(path) else "/"
        if done:
            bare, _, anchor = target.partition("#")
            joint = "&" if "?" in bare else "?"
            target = f"{bare}{joint}done={done}" + (f"#{anchor}" if anchor else "")
        return RedirectResponse(self.url(target), 303)

    def operation(self) -> AbstractContextManager[Operation]:
        """Begin a transaction that writes and leaves its entries in the audit trail."""
        return operate(self.desk.access, self.principal, self.at)

    def with_form_token(self, secret: str) -> None:
        """Let the forms of the page carry a token of another secret than the session's."""
        self.frame = replace(self.frame, form_token=form_token(secret))


def is_own_path(path: str) -> bool:
    """Return whether a path stays on the desk: it begins with one slash and names no host."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def token_for(secret: str) -> str:
    """Return the form token; empty without a secret."""
    return form_token(secret) if secret else ""
