"""Sign-in through a real OpenID provider process, and every answer that must not be trusted."""

import base64
import hmac
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import func, select

from access.audit.read import Chosen, list_entries
from access.errors import SignInRefusedError
from access.operation import AccessContext, operate
from access.people import disable_user
from access.roles import Principal
from access.sessions import find_session
from access.sign_in.flow import SignIn
from access.sign_in.id_tokens import KeyCache, check_id_token
from access.sign_in.openid import Departure, OpenIdProvider, ProviderSettings, local_path
from access.sign_in.throttle import Browser
from access.tables import ProviderSignIn
from tests.access.moments import MakeUser
from tests.access.provider_process import (
    CALLBACK,
    CLIENT_SECRET,
    new_key,
    run_provider,
    sign_in_at_provider,
)

_BROWSER = Browser("192.0.2.7")
_NONCE = "a nonce of this sign-in"
_ISSUER = "https://login.example.edu"
_MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_provider([new_key("first")]) as address:
        yield address


@pytest.fixture
def provider(issuer: str) -> Iterator[OpenIdProvider]:
    made = _provider(issuer)
    yield made
    made.close()


def _provider(issuer: str, client_id: str = "desk") -> OpenIdProvider:
    return OpenIdProvider(ProviderSettings(issuer, client_id, CLIENT_SECRET, CALLBACK))


def _visit(
    provider: OpenIdProvider, context: AccessContext, name: str = "ada"
) -> tuple[Departure, dict[str, str]]:
    departure = provider.begin(context, "/students/7?period=3")
    return departure, sign_in_at_provider(departure.url, name)


def test_a_person_signs_in_and_is_recognised_the_next_time(
    context: AccessContext, provider: OpenIdProvider, make_user: MakeUser
) -> None:
    user = make_user("ada@example.edu")
    for _ in range(2):
        departure, answer = _visit(provider, context)
        arrival = provider.complete(context, answer, departure.state)
        assert arrival.return_to == "/students/7?period=3"
        assert (arrival.identity.email, arrival.identity.name) == ("ada@example.edu", "Account ada")
        started = SignIn(context).with_provider(arrival.identity, _BROWSER)
        with context.database.read() as session:
            found = find_session(session, started.cookie, context.sessions, datetime.now(UTC))
        assert found is not None
        assert (found.principal.user_id, found.method) == (user.id, "provider")
    with context.database.read() as session:
        assert len(list_entries(session, Chosen(action="identity.linked"))) == 1
        assert session.scalar(select(func.count()).select_from(ProviderSignIn)) == 0


def test_the_request_carries_state_nonce_and_pkce_and_stores_no_state(
    context: AccessContext, provider: OpenIdProvider
) -> None:
    departure = provider.begin(context, "/")
    asked = parse_qs(urlsplit(departure.url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["state"] == [departure.state]
    with context.database.read() as session:
        stored = session.scalars(select(ProviderSignIn)).one()
    assert asked["nonce"] == [stored.nonce]
    assert stored.verifier not in departure.url
    assert departure.state.encode() not in stored.state


def test_an_answer_works_once(context: AccessContext, provider: OpenIdProvider) -> None:
    departure, answer = _visit(provider, context)
    provider.complete(context, answer, departure.state)
    with pytest.raises(SignInRefusedError, match="used already"):
        provider.complete(context, answer, departure.state)


def test_a_code_of_another_sign_in_is_refused_by_the_provider(
    context: AccessContext, provider: OpenIdProvider
) -> None:
    """PKCE: the code was issued for another verifier."""
    _, stolen = _visit(provider, context, "eve")
    departure, answer = _visit(provider, context)
    with pytest.raises(SignInRefusedError):
        provider.complete(context, answer | {"code": stolen["code"]}, departure.state)


@pytest.mark.parametrize("cookie", [None, "", "the state of another browser"])
def test_an_answer_in_another_browser_is_refused(
    context: AccessContext, provider: OpenIdProvider, cookie: str | None
) -> None:
    departure, answer = _visit(provider, context)
    with pytest.raises(SignInRefusedError, match="this browser"):
        provider.complete(context, answer, cookie)
    provider.complete(context, answer, departure.state)


def test_a_sign_in_ends_after_ten_minutes(context: AccessContext, provider: OpenIdProvider) -> None:
    departure, answer = _visit(provider, context)
    with pytest.raises(SignInRefusedError, match="too long"):
        provider.complete(context, answer, departure.state, datetime.now(UTC) + 10 * _MINUTE)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"code": None},
        {"error": "access_denied"},
        {"code": "made up"},
    ],
)
def test_altered_answers_are_refused(
    context: AccessContext, provider: OpenIdProvider, change: dict[str, str | None]
) -> None:
    departure, answer = _visit(provider, context)
    altered = {name: value for name, value in (answer | change).items() if value is not None}
    with pytest.raises(SignInRefusedError):
        provider.complete(context, altered, departure.state)


def test_keys_may_be_rotated_while_the_desk_runs(context: AccessContext) -> None:
    first, second = new_key("first"), new_key("second")
    with run_provider([first]) as issuer:
        provider = _provider(issuer)
        departure, answer = _visit(provider, context)
        provider.complete(context, answer, departure.state)
        port = urlsplit(issuer).port
    assert port is not None
    with run_provider([second], port):
        departure, answer = _visit(provider, context)
        later = datetime.now(UTC) + _MINUTE
        assert provider.complete(context, answer, departure.state, later).identity.subject == "ada"
        assert [key.kid for key in provider.keys.get(later).keys] == ["second"]
        provider.close()


def test_only_people_of_the_desk_with_a_verified_address_get_in(
    context: AccessContext, command: Principal, provider: OpenIdProvider, make_user: MakeUser
) -> None:
    user = make_user("ada@example.edu")

    def arrive(name: str) -> None:
        departure, answer = _visit(provider, context, name)
        arrival = provider.complete(context, answer, departure.state)
        SignIn(context).with_provider(arrival.identity, _BROWSER)

    with pytest.raises(SignInRefusedError, match="no account"):
        arrive("stranger")
    with pytest.raises(SignInRefusedError, match="no account"):
        arrive("unverified-ada")
    arrive("ada")
    with operate(context, command) as operation:
        disable_user(operation, user.id)
    with pytest.raises(SignInRefusedError, match="disabled"):
        arrive("ada")
    with context.database.read() as session:
        assert len(list_entries(session, Chosen(action="session.refused"))) == 3


def test_a_provider_that_is_down_is_a_message(context: AccessContext) -> None:
    provider = _provider("http://127.0.0.1:9")
    with pytest.raises(SignInRefusedError, match="did not answer"):
        provider.begin(context, "/")
    provider.close()


def test_a_provider_that_names_another_issuer_is_refused(
    context: AccessContext, issuer: str
) -> None:
    provider = _provider(issuer.replace("127.0.0.1", "localhost"))
    with pytest.raises(SignInRefusedError, match="another issuer"):
        provider.begin(context, "/")
    provider.close()


@pytest.mark.parametrize("address", ["http://login.example.edu", "ftp://127.0.0.1", "", "https://"])
def test_a_provider_needs_https(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        _provider(address)


def test_a_real_token_for_another_client_or_of_another_time_is_refused(
    context: AccessContext, provider: OpenIdProvider, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _provider(issuer, "other")
    departure = other.begin(context, "/")
    nonce = parse_qs(urlsplit(departure.url).query)["nonce"][0]
    answer = sign_in_at_provider(departure.url, "ada")
    tokens: dict[str, Any] = {}
    exchange = other._exchange
    monkeypatch.setattr(
        other, "_exchange", lambda code, verifier: tokens.update(exchange(code, verifier)) or tokens
    )
    other.complete(context, answer, departure.state)
    other.close()
    now = datetime.now(UTC)

    def check(client_id: str, nonce: str, at: datetime) -> None:
        check_id_token(
            tokens["id_token"],
            keys=provider.keys,
            issuer=issuer,
            client_id=client_id,
            nonce=nonce,
            access_token=tokens["access_token"],
            at=at,
        )

    check("other", nonce, now)
    with pytest.raises(SignInRefusedError, match="'aud'"):
        check("desk", nonce, now)
    with pytest.raises(SignInRefusedError, match="'nonce'"):
        check("other", "of a later sign-in", now)
    with pytest.raises(SignInRefusedError, match="'exp'"):
        check("other", nonce, now + timedelta(hours=2))


_KEY = new_key("one")


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": "desk",
        "sub": "ada",
        "iat": now,
        "exp": now + 300,
        "nonce": _NONCE,
        "email": "Ada@Example.edu",
        "email_verified": True,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def _check(raw: str, key: RSAKey = _KEY) -> str | None:
    public = KeySet([key]).as_dict(private=False)
    return check_id_token(
        raw,
        keys=KeyCache(lambda: public),
        issuer=_ISSUER,
        client_id="desk",
        nonce=_NONCE,
        access_token="an access token",  # noqa: S106
        at=datetime.now(UTC),
    ).email


def _signed(key: RSAKey = _KEY, **changes: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, _claims(**changes), key)


def test_a_good_token_gives_the_address_that_the_provider_vouches_for() -> None:
    assert _check(_signed()) == "ada@example.edu"
    assert _check(_signed(email_verified=False)) is None
    assert _check(_signed(email_verified="true")) is None
    assert _check(_signed(email=["ada@example.edu"])) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["desk", "other"]},
        {"aud": ["desk", "other"], "azp": "other"},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"iat": None},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"at_hash": "of another access token"},
    ],
    ids=str,
)
def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInRefusedError):
        _check(_signed(**changes))


def test_wrong_signatures_are_refused() -> None:
    """Another key under the same id, no signature, HMAC with the public key, and no token at all."""
    with pytest.raises(SignInRefusedError):
        _check(_signed(new_key("one")))
    with pytest.raises(SignInRefusedError):
        _check(_signed(new_key("another")))
    head, body, _ = _signed().split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    for raw in (f"{unsigned}.{body}.", f"{head}.{body}."):
        with pytest.raises(SignInRefusedError):
            _check(raw)
    confused = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').decode().rstrip("=")
    mac = hmac.digest(_KEY.as_pem(private=False), f"{confused}.{body}".encode(), "sha256")
    with pytest.raises(SignInRefusedError):
        _check(f"{confused}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")
    for raw in ("", "a.b.c", _signed()[:-2] + "xx", _signed() + ".x"):
        with pytest.raises(SignInRefusedError):
            _check(raw)


def test_made_up_key_ids_do_not_cause_a_flood_of_requests() -> None:
    fetched = []

    def fetch() -> Mapping[str, Any]:
        fetched.append(1)
        return KeySet([_KEY]).as_dict(private=False)

    cache = KeyCache(fetch)
    start = datetime.now(UTC)
    for seconds in range(10):
        with pytest.raises(SignInRefusedError):
            check_id_token(
                _signed(new_key(f"made up {seconds}") if seconds < 2 else _STRANGER),
                keys=cache,
                issuer=_ISSUER,
                client_id="desk",
                nonce=_NONCE,
                access_token=None,
                at=start + timedelta(seconds=seconds),
            )
    assert len(fetched) == 1
    assert cache.renew(start + timedelta(seconds=11)) is not None
    assert len(fetched) == 2


_STRANGER = new_key("stranger")


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "evil",
        "",
        "/a\nb",
        "/" + "a" * 2000,
    ],
)
def test_people_are_sent_to_paths_of_the_desk_only(path: str) -> None:
    assert local_path(path) == "/"


def test_paths_with_queries_are_kept() -> None:
    assert local_path("/students/7?period=3#notes") == "/students/7?period=3#notes"
