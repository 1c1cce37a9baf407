"""Refuse requests that another site made a browser send. Pure functions.

Two defences, each enough by itself: the browser's own word on where a request came from, and a form token that only
pages of the desk hold. Both are asked of every request that is not safe (RFC 9110, 9.2.1) and carries a cookie.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from access.errors import ForgedRequestError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD = "csrf_token"
HEADER = "x-csrf-token"


def form_token(cookie: str) -> str:
    """Derive the form token of a session from its cookie's value.

    It changes with the session and needs no storage. The cookie cannot be computed from it.

    Args:
        cookie: The session's secret; of people who have not signed in, the value of a cookie set by the form's page.
    """
    mac = hmac.new(cookie.encode(), b"bellwether form token", hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")


def is_form_token(cookie: str, given: str) -> bool:
    """Compare a form's token with the session's, in constant time."""
    return hmac.compare_digest(form_token(cookie).encode(), given.encode())


def check_source(headers: Mapping[str, str], own_origin: str) -> None:
    """Refuse a request that a page of another origin made.

    `Sec-Fetch-Site` decides where the browser sends it; else `Origin`, else `Referer`. A request with none of the
    three comes from no current browser and is left to the form token.

    Args:
        headers: Of the request, names in lower case.
        own_origin: Scheme, host and port under which people reach the desk, such as `https://desk.example.edu`.

    Raises:
        ForgedRequestError: The request came from elsewhere.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        # `none`: typed in or bookmarked, by the person; a page cannot cause it.
        if site not in {"same-origin", "none"}:
            raise ForgedRequestError("This request came from another site and was refused.")
        return
    source = headers.get("origin") or headers.get("referer")
    if source is not None and _origin(source) != _origin(own_origin):
        raise ForgedRequestError("This request came from another site and was refused.")


def check_request(
    method: str, headers: Mapping[str, str], own_origin: str, cookie: str, given: str | None
) -> None:
    """Refuse an unsafe request without the session's form token or from another origin.

    Args:
        method: Of the request.
        headers: Of the request, names in lower case.
        own_origin: Scheme, host and port under which people reach the desk.
        cookie: Value of the session's cookie.
        given: Token in the form's field `csrf_token` or the header `X-CSRF-Token`.

    Raises:
        ForgedRequestError: The request may have been made by another site.
    """
    if method.upper() in SAFE_METHODS:
        return
    check_source(headers, own_origin)
    # Without a cookie the token would be the same for everybody.
    if not cookie or given is None or not is_form_token(cookie, given):
        raise ForgedRequestError("This form is out of date. Reload the page and send it again.")


def _origin(url: str) -> tuple[str, str, int | None]:
    """Split off scheme, host and port; the port that the scheme implies where none is named."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port or default
