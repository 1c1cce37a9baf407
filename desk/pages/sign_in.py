"""Sign in and out, and choose appearance and language."""

from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from access.errors import SignInRefusedError, TooManyAttemptsError
from access.operation import operate
from access.sessions import end_session
from access.sign_in.flow import CodeNeeded, SignIn, Started
from access.sign_in.links import Purpose, find_link
from access.sign_in.openid import LASTS, OpenIdProvider
from access.sign_in.throttle import Browser
from cases.errors import NotFoundError
from desk.context import Visit, is_own_path
from desk.forms import Fault, FormState
from desk.i18n.catalogues import LANGUAGES
from desk.views.sign_in import SignInView
from records.secret_tokens import new_secret

_YEAR = 365 * 24 * 3600


def show(visit: Visit) -> Response:
    """Show the form; who has signed in already goes on."""
    back = visit.query.get("back", "/")
    if visit.signed_in is not None:
        return visit.go(back)
    return _page(visit, FormState("sign-in"), back)


def submit(visit: Visit) -> Response:
    """Sign in by address and password."""
    reader = visit.reader("sign-in")
    email, password = reader.text("email", longest=254), reader.text("password", longest=1000)
    back = visit.back("/")
    if not reader.is_valid:
        return _page(visit, _without_secrets(reader.state()), back, status=422)
    try:
        result = _flow(visit).with_password(email, password, _browser(visit), visit.at)
    except SignInRefusedError as error:
        return _refused(visit, str(error), back)
    except TooManyAttemptsError as error:
        return _refused(visit, str(error), back, status=429)
    if isinstance(result, CodeNeeded):
        return _page(visit, FormState("sign-in"), back, challenge=result.challenge)
    return _signed_in(visit, result, back)


def code(visit: Visit) -> Response:
    """Finish a sign-in by password with a one-time code."""
    reader = visit.reader("sign-in")
    challenge, given = reader.text("challenge", longest=200), reader.text("code", longest=20)
    back = visit.back("/")
    try:
        result = _flow(visit).with_code(challenge, given, _browser(visit), visit.at)
    except SignInRefusedError as error:
        return _refused(visit, str(error), back)
    except TooManyAttemptsError as error:
        return _refused(visit, str(error), back, status=429)
    return _signed_in(visit, result, back)


def show_link(visit: Visit) -> Response:
    """Show the button of a one-time link: scanners of mail open links, and press no buttons."""
    secret = str(visit.request.path_params.get("secret", ""))
    if find_link(visit.session, secret, Purpose.SIGN_IN, visit.at) is None:
        return _link_refused(visit)
    words = visit.words
    view = SignInView(
        title=words("Sign in"),
        text=words("This link works once."),
        form=FormState("sign-in"),
        back="/",
        link_secret=secret,
    )
    return _with_form_cookie(visit, view)


def submit_link(visit: Visit) -> Response:
    """Sign in by a one-time link."""
    secret = visit.reader("sign-in").text("secret", longest=200)
    try:
        result = _flow(visit).with_link(secret, _browser(visit), visit.at)
    except SignInRefusedError:
        return _link_refused(visit)
    return _signed_in(visit, result, "/")


def begin_at_provider(visit: Visit) -> Response:
    """Send the browser to the OpenID provider."""
    provider = _provider(visit)
    try:
        departure = provider.begin(visit.desk.access, visit.query.get("back", "/"), visit.at)
    except SignInRefusedError as error:
        return _refused(visit, str(error), "/", status=502)
    response = RedirectResponse(departure.url, 303)
    cookies = visit.desk.cookies
    seconds = int(LASTS.total_seconds())
    cookies.put(response, cookies.provider, departure.state, seconds=seconds)
    return response


def return_here(visit: Visit) -> Response:
    """Sign in by what the provider has sent back."""
    provider, cookies = _provider(visit), visit.desk.cookies
    state = visit.request.cookies.get(cookies.provider)
    try:
        arrival = provider.complete(visit.desk.access, visit.query, state, visit.at)
        started = _flow(visit).with_provider(arrival.identity, _browser(visit), visit.at)
    except SignInRefusedError as error:
        return _refused(visit, str(error), "/")
    response = _signed_in(visit, started, arrival.return_to)
    cookies.drop(response, cookies.provider)
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    with operate(visit.desk.access, visit.principal, visit.at) as operation:
        end_session(operation, visit.secret)
    response = visit.go("/sign-in", done="signed-out")
    visit.desk.cookies.drop(response, visit.desk.cookies.session)
    return response


def preferences(visit: Visit) -> Response:
    """Store appearance and language in cookies of this browser."""
    reader = visit.reader("preferences")
    theme = reader.choice("theme", ("auto", "light", "dark"), required=False)
    language = reader.choice("language", LANGUAGES, required=False)
    response = visit.go(visit.back("/"), done="preferences")
    cookies = visit.desk.cookies
    if theme:
        cookies.put(response, cookies.theme, theme, seconds=_YEAR)
    if language:
        cookies.put(response, cookies.language, language, seconds=_YEAR)
    return response


def _provider(visit: Visit) -> OpenIdProvider:
    """Return the provider.

    Raises:
        NotFoundError: There is none.
    """
    if visit.desk.provider is None:
        raise NotFoundError("There is no such page.")
    return visit.desk.provider


def _flow(visit: Visit) -> SignIn:
    return SignIn(visit.desk.access)


def _browser(visit: Visit) -> Browser:
    client = visit.request.client
    cookie = visit.request.cookies.get(visit.desk.cookies.session)
    return Browser(client.host if client else "", cookie)


def _signed_in(visit: Visit, started: Started, back: str) -> Response:
    response = visit.go(back)
    cookies = visit.desk.cookies
    cookies.put(response, cookies.session, started.cookie)
    cookies.drop(response, cookies.form)
    return response


def _page(
    visit: Visit, form: FormState, back: str, *, challenge: str = "", status: int = 200
) -> Response:
    words = visit.words
    settings, back = visit.desk.settings, back if is_own_path(back) else "/"
    view = SignInView(
        title=words("Sign in"),
        text=settings.institution,
        form=form,
        back=back,
        challenge=challenge,
        provider="" if visit.desk.provider is None else settings.provider_name,
        provider_url=visit.url("/sign-in/provider?" + urlencode({"back": back})),
    )
    return _with_form_cookie(visit, view, status)


def _refused(visit: Visit, message: str, back: str, status: int = 403) -> Response:
    fault = Fault(None, visit.words(message))
    return _page(visit, FormState("sign-in", {}, (fault,)), back, status=status)


def _link_refused(visit: Visit) -> Response:
    message = "This link was used already or has expired. Ask for a new one."
    return _refused(visit, message, "/", status=404)


def _without_secrets(form: FormState) -> FormState:
    values = {name: value for name, value in form.values.items() if name == "email"}
    return FormState(form.name, values, form.faults)


def _with_form_cookie(visit: Visit, view: SignInView, status: int = 200) -> Response:
    """Show the page with a form token of its own: there is no session to derive one from."""
    secret = visit.secret
    if not secret:
        secret = new_secret()
        visit.with_form_token(secret)
    response = visit.page("sign_in.html", view, status)
    if secret != visit.secret:
        cookies = visit.desk.cookies
        cookies.put(response, cookies.form, secret, same_site="strict")
    return response
