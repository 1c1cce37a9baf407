"""Pages for what no route answers: unknown paths, wrong methods, defects."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from desk.context import Desk
from desk.framing import frame_of, words_of
from desk.views.frame import Notice
from desk.views.marks import Link


def error_page(desk: Desk, request: Request, status: int) -> Response:
    """Answer with a page that needs no session and no database."""
    words = words_of(desk, request)
    if status == 404:
        notice = (words("Not found"), words("There is no such page."))
    elif status == 405:
        notice = (words("Not possible"), words("This address takes no such request."))
    else:
        title = words("Something went wrong on our side")
        notice = (title, words("The fault is recorded. Please try again in a minute."))
    view = Notice(*notice, Link(words("To the start"), desk.renderer.url("/")))
    frame = frame_of(desk, request, None, "", words)
    return HTMLResponse(desk.renderer.page("pages/notice.html", view, frame, words), status)
