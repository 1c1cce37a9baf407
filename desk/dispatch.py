"""From a request to a handler and back: session, rights, form token, errors.

Every route goes this way, so that no handler can forget a check.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from access.csrf import FIELD, SAFE_METHODS, check_request
from access.errors import AccessError, ForbiddenError, ForgedRequestError, TooManyAttemptsError
from access.roles import ANONYMOUS, Action, permits
from access.sessions import find_session, touch_session
from cases.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from desk.context import Desk, Visit
from desk.framing import frame_of, words_of
from desk.views.frame import Notice
from desk.views.marks import Link

_log = logging.getLogger(__name__)
Handler = Callable[[Visit], Response]


@dataclass(frozen=True)
class Route:
    """A page of the desk.

    Attributes:
        path: As Starlette writes paths.
        methods: HTTP methods.
        action: What a person needs the right for; None where being signed in is enough.
        handler: Answers it, in a thread.
        is_public: Whether it needs no session.
    """

    path: str
    methods: tuple[str, ...]
    action: Action | None
    handler: Handler
    is_public: bool = False


def endpoint(desk: Desk, route: Route) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers the requests of a route."""

    async def answer(request: Request) -> Response:
        form = FormData()
        if request.method not in SAFE_METHODS:
            refused = _refuse_body(request, desk.settings.max_form_bytes)
            if refused is not None:
                return refused
            try:
                form = await request.form(max_files=0, max_fields=1000)
            except ClientDisconnect:
                return Response(status_code=400)
        return await run_in_threadpool(handle, desk, route, request, form)

    return answer


def handle(desk: Desk, route: Route, request: Request, form: FormData) -> Response:
    """Answer one request of a route."""
    at = desk.now()
    cookie = request.cookies.get(desk.cookies.session, "")
    limits = desk.access.sessions
    with desk.database.read() as session:
        signed_in = find_session(session, cookie, limits, at) if cookie else None
        secret = cookie if signed_in else request.cookies.get(desk.cookies.form, "")
        words = words_of(desk, request)
        principal = signed_in.principal if signed_in else ANONYMOUS
        visit = Visit(
            desk=desk,
            request=request,
            form=form,
            session=session,
            principal=principal,
            signed_in=signed_in,
            secret=secret,
            words=words,
            frame=frame_of(desk, request, signed_in, secret, words),
            at=at,
        )
        response = _checked(route, visit)
    if signed_in is not None and signed_in.is_stale and response.status_code < 400:
        with desk.database.write() as writing:
            touch_session(writing, cookie, at)
    return response


def _checked(route: Route, visit: Visit) -> Response:
    request = visit.request
    try:
        if not route.is_public and visit.signed_in is None:
            return _to_sign_in(visit)
        given = visit.form.get(FIELD)
        check_request(
            request.method,
            dict(request.headers),
            visit.desk.settings.origin,
            visit.secret,
            given if isinstance(given, str) else None,
        )
        if route.action is not None and not permits(visit.principal, route.action):
            raise ForbiddenError(visit.words("Your role does not include this page."))
        return route.handler(visit)
    except (NotFoundError, ConflictError, NotAllowedError, InvalidError, AccessError) as error:
        return _problem(visit, error)
    except OperationalError:
        _log.exception("The database did not answer.")
        return _notice(
            visit,
            503,
            visit.words("The desk cannot reach its database"),
            visit.words("Nothing was changed. Please try again in a minute."),
        )


def _problem(visit: Visit, error: Exception) -> Response:
    words = visit.words
    described: dict[type[Exception], tuple[int, str, str]] = {
        NotFoundError: (
            404,
            words("Not found"),
            words("There is no such page, or it is not among the students you look after."),
        ),
        ConflictError: (
            409,
            words("Changed in the meantime"),
            words("Somebody else changed this in the meantime. Open it again to see the change."),
        ),
        NotAllowedError: (
            409,
            words("Not possible now"),
            words("This step is not possible in the present state."),
        ),
        InvalidError: (422, words("Please check what you entered"), words(str(error))),
        TooManyAttemptsError: (429, words("Please wait"), words(str(error))),
        ForgedRequestError: (403, words("This form is out of date"), words(str(error))),
    }
    otherwise = (403, words("Not permitted"), words(str(error)))
    response = _notice(visit, *described.get(type(error), otherwise))
    if isinstance(error, TooManyAttemptsError):
        response.headers["retry-after"] = str(error.retry_after)
    return response


def _notice(visit: Visit, status: int, title: str, text: str) -> Response:
    link = Link(visit.words("To the start"), visit.url("/"))
    return visit.page("notice.html", Notice(title, text, link), status)


def _to_sign_in(visit: Visit) -> Response:
    request = visit.request
    # A fragment cannot show the sign-in page; the page that holds it asks on its next visit.
    if request.headers.get("hx-request"):
        return Response(status_code=401)
    here = visit.frame.here if request.method in SAFE_METHODS else "/"
    back = "" if here == "/" else "?" + urlencode({"back": here})
    return RedirectResponse(visit.url("/sign-in") + back, 303)


def _refuse_body(request: Request, most: int) -> Response | None:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return Response("A form needs a Content-Length.\n", 411)
    if int(length) > most:
        return Response(f"A form has at most {most} bytes.\n", 413)
    return None
