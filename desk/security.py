"""Headers that every answer carries, and the cookies of the desk."""

from typing import Literal

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing is loaded from elsewhere, nothing runs inline, no page can be framed, no form leaves.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Older browsers, which do not read frame-ancestors.
    "x-frame-options": "DENY",
}
# Pages hold students' data: no copy in a cache, nor after sign-out behind the back button.
_NOT_STORED = "no-store"
_TRANSPORT = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """ASGI middleware that adds the headers; `Cache-Control` only where an answer sets none.

    Args:
        app: The application.
        is_secure: Whether people reach it by TLS.
    """

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._headers = HEADERS | ({"strict-transport-security": _TRANSPORT} if is_secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("cache-control", _NOT_STORED)
            await send(message)

        await self._app(scope, receive, with_headers)


class Cookies:
    """Names and attributes of the desk's cookies.

    `__Host-` makes browsers refuse the cookie unless it is secure, for this host and for all paths;
    on loopback without TLS no browser would store it, so that the plain name is used there.

    Args:
        is_secure: Whether people reach the desk by TLS.
    """

    def __init__(self, *, is_secure: bool) -> None:
        self._secure = is_secure
        prefix = "__Host-" if is_secure else ""
        self.session = f"{prefix}bellwether-session"
        self.form = f"{prefix}bellwether-form"
        self.provider = f"{prefix}bellwether-provider"
        self.theme = f"{prefix}bellwether-theme"
        self.language = f"{prefix}bellwether-language"

    def put(
        self,
        response: Response,
        name: str,
        value: str,
        *,
        seconds: int | None = None,
        same_site: Literal["lax", "strict"] = "lax",
    ) -> None:
        """Set a cookie that scripts cannot read; until the browser closes without `seconds`."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite=same_site,
        )

    def drop(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
