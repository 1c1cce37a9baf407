"""Settings of the desk, from the environment: `BELLWETHER_DESK_<NAME>`, checked before anything runs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from access.sign_in.openid import ProviderSettings
from desk.i18n.catalogues import LANGUAGES
from records.errors import BellwetherError

PREFIX = "BELLWETHER_DESK_"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsError(BellwetherError):
    """An environment variable holds something that its setting cannot be."""


class Settings(BaseModel):
    """What an operator chooses; every field is an environment variable with the prefix.

    Attributes:
        database: SQLAlchemy URL of the desk's database.
        scorer: Address of the scoring service.
        scorer_token: Bearer token for it; None where it asks for none.
        scorer_timeout: Seconds until a request to it is given up.
        origin: Scheme, host and port under which people reach the desk; `https` turns on secure
            cookies and Strict-Transport-Security.
        base_path: Path below which a proxy shows the desk, such as `/bellwether`; empty for none.
        secret_file: File with the secret from which keys of access are derived; made at first start.
        time_zone: Zone in which days begin and times are shown.
        language: Language of people whose browser asks for none that the desk has.
        institution: Name to show beside the product's; empty for none.
        talks_per_week: How many talks an adviser can hold; what the capacity line counts against.
        page_size: Rows of a list.
        max_form_bytes: Larger forms are refused with 413.
        provider_issuer: Address of an OpenID provider by which people may sign in; None for none.
        provider_client_id: The desk's identifier there.
        provider_client_secret: The desk's secret there; None for a public client.
        provider_name: What people call it.
        migrate: Whether the database is brought to the newest revision at start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str = "sqlite:///build/desk/desk.db"
    scorer: str = Field(default="http://127.0.0.1:3000", pattern="^https?://")
    scorer_token: str | None = Field(default=None, min_length=1, repr=False)
    scorer_timeout: float = Field(default=30, gt=0, le=600)
    origin: str = "http://127.0.0.1:3100"
    base_path: str = Field(default="", pattern="^(/[A-Za-z0-9._~-]+)*$")
    secret_file: Path = Path("build/desk/secret")
    time_zone: str = "UTC"
    language: str = "en"
    institution: str = Field(default="", max_length=80)
    talks_per_week: int = Field(default=20, ge=1, le=1000)
    page_size: int = Field(default=50, ge=5, le=200)
    max_form_bytes: int = Field(default=256 * 1024, ge=4096)
    provider_issuer: str | None = Field(default=None, min_length=1)
    provider_client_id: str | None = Field(default=None, min_length=1)
    provider_client_secret: str | None = Field(default=None, min_length=1, repr=False)
    provider_name: str = Field(default="OpenID", min_length=1, max_length=60)
    migrate: bool = False

    @field_validator("origin")
    @classmethod
    def _is_origin(cls, origin: str) -> str:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("must be scheme, host and port, such as https://desk.example.edu")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                "must be https, except on loopback: sessions would travel in the clear"
            )
        return origin.rstrip("/")

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be a zone such as Europe/Berlin") from None
        return zone

    @field_validator("language")
    @classmethod
    def _is_language(cls, language: str) -> str:
        if language not in LANGUAGES:
            raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
        return language

    @property
    def provider(self) -> ProviderSettings | None:
        """The OpenID provider; None where none is named.

        Raises:
            SettingsError: Its address is not https, or the desk's identifier is missing.
        """
        if self.provider_issuer is None:
            return None
        if self.provider_client_id is None:
            raise SettingsError(f"{PREFIX}PROVIDER_CLIENT_ID: the provider needs it.")
        return ProviderSettings(
            issuer=self.provider_issuer,
            client_id=self.provider_client_id,
            client_secret=self.provider_client_secret,
            redirect_uri=f"{self.origin}{self.base_path}/sign-in/provider/callback",
        )

    @property
    def is_secure(self) -> bool:
        """Whether people reach the desk by TLS."""
        return self.origin.startswith("https:")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings; a variable that is unset or empty leaves the default.

        Raises:
            SettingsError: A variable's value does not do; the message names each such variable.
        """
        environment = os.environ if environment is None else environment
        given = {
            name: environment[variable]
            for name in cls.model_fields
            if environment.get(variable := PREFIX + name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            faults = [
                f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}"
                for fault in error.errors(include_input=False)
            ]
            raise SettingsError("\n".join(faults)) from None
