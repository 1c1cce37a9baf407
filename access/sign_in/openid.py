"""Sign in through an OpenID provider: authorization code flow with state, nonce and PKCE.

Authlib builds and reads the messages; HTTP goes by a plain httpx client, since Authlib's own client is bound to
another library from its next version on.
"""

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import delete

from access.errors import SignInRefusedError
from access.operation import AccessContext
from access.sign_in.id_tokens import Identity, KeyCache, check_id_token
from access.tables import ProviderSignIn
from database.base import utc_now
from records.secret_tokens import digest, new_secret

LASTS = timedelta(minutes=10)
_METADATA_SECONDS = 3600.0
_TIMEOUT_SECONDS = 10.0
_LARGEST_ANSWER = 1 << 20
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class ProviderSettings:
    """An OpenID provider and the desk's registration there.

    Attributes:
        issuer: Address of the provider, exactly as it names itself.
        client_id: The desk's identifier.
        client_secret: The desk's secret; None for a public client.
        redirect_uri: Where the provider sends people back to, as registered.
        scopes: What is asked for.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid", "email", "profile")


@dataclass(frozen=True)
class Departure:
    """A browser leaves for the provider.

    Attributes:
        url: Where to.
        state: For a cookie of the browser that lasts ten minutes: the sign-in ends in the browser where it began.
    """

    url: str
    state: str


@dataclass(frozen=True)
class Arrival:
    """A browser has come back.

    Attributes:
        identity: Whom the provider has vouched for.
        return_to: Path to show.
    """

    identity: Identity
    return_to: str


class OpenIdProvider:
    """Talk to one provider. Its description is fetched when first needed, and again every hour.

    Args:
        settings: The provider, and the desk's registration there.
        http: Client to use; by default one of its own.

    Raises:
        ValueError: The issuer is no https address (http is for loopback only).
    """

    def __init__(self, settings: ProviderSettings, http: httpx.Client | None = None) -> None:
        self.settings = settings
        _check_address(settings.issuer)
        self._http = http or httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        self._metadata: Mapping[str, Any] | None = None
        self._fetched = 0.0
        self._lock = Lock()
        self.keys = KeyCache(lambda: self._get(self._endpoint("jwks_uri")))

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def begin(
        self, context: AccessContext, return_to: str, at: datetime | None = None
    ) -> Departure:
        """Begin a sign-in.

        Args:
            context: What access works with.
            return_to: Path of the desk to show afterwards; anything else leads to the first page.
            at: Moment; now by default.

        Raises:
            SignInRefusedError: The provider does not answer, or not as it should.
        """
        now = at or utc_now()
        authorize = self._endpoint("authorization_endpoint")
        state, nonce, verifier = new_secret(), new_secret(), generate_token(64)
        with context.database.write() as session:
            session.execute(delete(ProviderSignIn).where(ProviderSignIn.expires_at <= now))
            session.add(
                ProviderSignIn(
                    state=digest(state),
                    nonce=nonce,
                    verifier=verifier,
                    return_to=local_path(return_to),
                    expires_at=now + LASTS,
                )
            )
        url = prepare_grant_uri(
            authorize,
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self.settings.redirect_uri,
            scope=" ".join(self.settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Departure(str(url), state)

    def complete(
        self,
        context: AccessContext,
        answer: Mapping[str, str],
        cookie: str | None,
        at: datetime | None = None,
    ) -> Arrival:
        """Finish a sign-in with what the provider sent back. It works once.

        Args:
            context: What access works with.
            answer: Query parameters of the address that the browser came back to.
            cookie: The state in the browser's cookie.
            at: Moment; now by default.

        Raises:
            SignInRefusedError: The answer belongs to no sign-in of this browser, or cannot be trusted.
        """
        now = at or utc_now()
        state = answer.get("state", "")
        if not cookie or not hmac.compare_digest(cookie.encode(), state.encode()):
            raise SignInRefusedError("This sign-in did not begin in this browser. Sign in again.")
        with context.database.write() as session:
            begun = session.execute(
                delete(ProviderSignIn)
                .where(ProviderSignIn.state == digest(state))
                .returning(
                    ProviderSignIn.nonce,
                    ProviderSignIn.verifier,
                    ProviderSignIn.return_to,
                    ProviderSignIn.expires_at,
                )
            ).one_or_none()
        if begun is None or now >= begun.expires_at:
            raise SignInRefusedError("This took too long, or was used already. Sign in again.")
        self._check_answer(answer)
        tokens = self._exchange(answer["code"], begun.verifier)
        identity = check_id_token(
            str(tokens.get("id_token", "")),
            keys=self.keys,
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=begun.nonce,
            access_token=str(tokens["access_token"]) if "access_token" in tokens else None,
            at=now,
        )
        return Arrival(identity, begun.return_to)

    def _check_answer(self, answer: Mapping[str, str]) -> None:
        """Refuse errors, answers without a code, and those of another provider (RFC 9207)."""
        promised = self._describe().get("authorization_response_iss_parameter_supported") is True
        issuer = answer.get("iss")
        if issuer != self.settings.issuer and (promised or issuer is not None):
            raise SignInRefusedError("Another provider has answered. Sign in again.")
        if "error" in answer or not answer.get("code"):
            raise SignInRefusedError("The provider did not sign you in. Try again.")

    def _exchange(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Exchange the code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": verifier,
        }
        auth = None
        if self.settings.client_secret is None:
            form["client_id"] = self.settings.client_id
        else:
            auth = httpx.BasicAuth(self.settings.client_id, self.settings.client_secret)
        endpoint = self._endpoint("token_endpoint")
        return self._read(self._http.build_request("POST", endpoint, data=form), auth)

    def _describe(self) -> Mapping[str, Any]:
        """Return the provider's description (OpenID Connect Discovery 1.0)."""
        with self._lock:
            if self._metadata is None or time.monotonic() > self._fetched + _METADATA_SECONDS:
                url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = self._get(url)
                if found.get("issuer") != self.settings.issuer:
                    raise SignInRefusedError("The provider names another issuer than is set up.")
                self._metadata, self._fetched = found, time.monotonic()
            return self._metadata

    def _endpoint(self, name: str) -> str:
        address = str(self._describe().get(name, ""))
        try:
            _check_address(address)
        except ValueError:
            raise SignInRefusedError(f"The provider gives no safe address for {name}.") from None
        return address

    def _get(self, url: str) -> Mapping[str, Any]:
        return self._read(self._http.build_request("GET", url))

    def _read(self, request: httpx.Request, auth: httpx.Auth | None = None) -> Mapping[str, Any]:
        """Send a request and read the JSON object that answers it, of at most 1 MiB."""
        try:
            response = self._http.send(request, auth=auth, stream=True)
            try:
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise SignInRefusedError("The provider's answer is too large.")
                response.raise_for_status()
                content = json.loads(body)
            finally:
                response.close()
        except (httpx.HTTPError, ValueError):
            raise SignInRefusedError(
                "The provider did not answer as it should. Try again in a moment."
            ) from None
        if not isinstance(content, dict):
            raise SignInRefusedError("The provider did not answer as it should.")
        return content


def local_path(path: str) -> str:
    """Return a path of the desk itself, or `/` where it would lead elsewhere."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    is_clean = all(character.isprintable() and character != "\\" for character in path)
    return path if is_local and is_clean and len(path) <= 2000 else "/"


def _check_address(address: str) -> None:
    """Refuse what is not encrypted; a provider on the same machine may use http.

    Raises:
        ValueError: The address is no https address.
    """
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise ValueError("the provider's address needs https")
