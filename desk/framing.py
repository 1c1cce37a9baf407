"""The surroundings of a page, from a request and its session."""

from starlette.requests import Request

from access.csrf import SAFE_METHODS
from access.roles import ANONYMOUS, permits, roles_of
from access.sessions import SignedIn
from desk.context import Desk, token_for
from desk.forms import choices
from desk.i18n.catalogues import LANGUAGES, choose
from desk.i18n.words import Words
from desk.views.frame import Frame
from desk.views.messages import done_message
from desk.views.navigation import navigation
from desk.views.roles import role_label


def words_of(desk: Desk, request: Request) -> Words:
    """Return the language of a request's answer."""
    chosen = request.cookies.get(desk.cookies.language)
    header = request.headers.get("accept-language")
    language = choose(chosen, header) if chosen or header else desk.settings.language
    zone = desk.settings.zone
    return Words(language, zone, desk.now().astimezone(zone).date())


def frame_of(
    desk: Desk, request: Request, signed_in: SignedIn | None, secret: str, words: Words
) -> Frame:
    """Return what surrounds the page that answers a request."""
    principal = signed_in.principal if signed_in else ANONYMOUS
    path = request.url.path.removeprefix(desk.settings.base_path) or "/"
    theme = request.cookies.get(desk.cookies.theme, "")
    theme = theme if theme in {"light", "dark"} else ""
    query = "&".join(part for part in request.url.query.split("&") if not part.startswith("done="))
    facts = desk.facts.current()
    versions = "" if facts.policy is None else f"{facts.policy.title}"
    return Frame(
        language=words.language,
        theme=theme,
        here=path + (f"?{query}" if query else "") if request.method in SAFE_METHODS else "/",
        navigation=()
        if signed_in is None
        else navigation(path, lambda action: permits(principal, action), desk.renderer.url, words),
        person="" if signed_in is None else principal.name,
        roles=words.listing([role_label(role, words) for role in roles_of(principal.grants)]),
        freshness="",
        form_token=token_for(secret),
        message=done_message(request.query_params.get("done", ""), words),
        version=versions,
        themes=choices(
            [
                ("auto", words("As the device")),
                ("light", words("Light")),
                ("dark", words("Dark")),
            ],
            theme or "auto",
        ),
        languages=choices(list(LANGUAGES.items()), words.language),
    )
