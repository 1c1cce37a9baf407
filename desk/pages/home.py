"""The start: the first page that a person may open."""

from starlette.responses import Response

from desk.context import Visit
from desk.views.frame import Notice


def show(visit: Visit) -> Response:
    """Go to the first page of the navigation."""
    if visit.frame.navigation:
        return visit.go(visit.frame.navigation[0].url.removeprefix(visit.desk.settings.base_path))
    words = visit.words
    text = words("Your account has no role yet. Ask an administrator of the desk.")
    return visit.page("notice.html", Notice(words("Welcome"), text, None))
