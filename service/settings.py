"""Settings of the service, from the environment: `BELLWETHER_<NAME>`, checked before anything runs.

Host and port are the server's own: `bentoml serve --host --port` or BENTOML_HOST, BENTOML_PORT.
"""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from records.errors import BellwetherError
from scoring.precision import Precision
from scoring.runtime.provider_options import DeviceOptions
from scoring.runtime.providers import Provider
from service.auth import Authorizer, TokenFileError

PREFIX = "BELLWETHER_"
# Read elsewhere: by the desk, by the command line, by tests, and between processes of the service.
_RESERVED = re.compile(r"BELLWETHER_(DESK_.+|INTERNAL_.+|DEBUG|DATA)")
# Kubernetes describes a Service of the name `bellwether…` to every container by such variables.
_SERVICE_LINK = re.compile(
    r"BELLWETHER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)


class SettingsError(BellwetherError):
    """An environment variable holds something that its setting cannot be."""


class Settings(BaseModel):
    """What an operator chooses; every field is an environment variable with the prefix.

    Attributes:
        bundle: Tag in the BentoML model store, or folder. None: the bundle that the bento was
            built with, or else the newest one in the store.
        provider: Execution provider wanted.
        precision: Graphs that answer where the bundle holds them; `auto` is float32.
        strict: Refuse to start where another provider would answer.
        device: GPU, as CUDA counts them.
        device_memory: Most memory of CUDA's arena, MiB; None: as much as there is.
        engine_cache: Folder where TensorRT's engines are kept, so that only the first start
            compiles them; only its owner may write there.
        threads: Intra-op threads of each worker; None takes the worker's share of what affinity
            and CPU quota allow.
        workers: Processes that answer requests.
        max_body_bytes: Larger request bodies are refused with 413.
        max_students: More students in one request of JSON are refused with 422.
        max_bulk_bytes: Larger bodies of `score/bulk` in a streamed format are refused with 413.
        max_arriving_bytes: Most that the bodies which are still arriving at one worker hold; one
            that arrives in pieces beyond that is refused with 429. At least two of the largest.
        queue_milliseconds: Longest that a request may wait for its turn; one that would wait
            longer is refused at once with 429.
        fast_path: Whether `score` requests bypass ASGI (`service.transport.fast_path`).
        idle_seconds: A connection without a request is closed after so long; longer than load balancers' 60 s, or
            they would send requests to connections that are being closed.
        drain_seconds: From SIGTERM until the socket is closed; meanwhile `/readyz` answers 503 and everything else is
            answered as ever. BentoML ends workers 30 s after SIGTERM, so at most 20.
        head_seconds: A request's head that is not complete after so long is rejected with 408.
        tokens: Bearer tokens that work, by name, scopes and digest (`service.auth`); None, and no file: everybody
            who reaches the service may ask.
        tokens_file: File with such lines instead; read again when it changes.
        traces: Collector that takes OTLP over HTTP; then every request to score is traced. None: nothing is traced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: str | None = Field(default=None, min_length=1)
    provider: Provider = Provider.AUTO
    precision: Precision = Precision.AUTO
    strict: bool = False
    device: int = Field(default=0, ge=0)
    device_memory: int | None = Field(default=None, ge=64)
    engine_cache: str | None = Field(default=None, min_length=1)
    threads: int | None = Field(default=None, ge=1, le=1024)
    workers: int = Field(default=1, ge=1, le=1024)
    max_body_bytes: int = Field(default=8 * 2**20, ge=1024)
    max_students: int = Field(default=10_000, ge=1)
    max_bulk_bytes: int = Field(default=2 * 2**30, ge=1024)
    max_arriving_bytes: int = Field(default=256 * 2**20, ge=4 * 2**20, validate_default=True)
    queue_milliseconds: int = Field(default=150, ge=1, le=600_000)
    fast_path: bool = True
    idle_seconds: float = Field(default=75.0, gt=0, le=86_400)
    drain_seconds: float = Field(default=0.0, ge=0, le=20)
    head_seconds: float = Field(default=20.0, gt=0, le=3600)
    traces: str | None = Field(default=None, pattern="^https?://")
    tokens: str | None = Field(default=None, min_length=1, repr=False)
    tokens_file: str | None = Field(default=None, min_length=1, validate_default=True)

    @field_validator("max_arriving_bytes")
    @classmethod
    def _holds_two_bodies(cls, arriving: int, known: ValidationInfo) -> int:
        # A body above it would be refused however often it is sent.
        if arriving < 2 * known.data.get("max_body_bytes", 0):
            raise ValueError("must be at least twice BELLWETHER_MAX_BODY_BYTES")
        return arriving

    @field_validator("tokens_file")
    @classmethod
    def _reads_tokens(cls, file: str | None, known: ValidationInfo) -> str | None:
        tokens = known.data.get("tokens")
        if file is not None and tokens is not None:
            raise ValueError("set one of BELLWETHER_TOKENS and BELLWETHER_TOKENS_FILE")
        try:
            Authorizer.from_settings(tokens, file)
        except TokenFileError as error:
            raise ValueError(str(error)) from None
        return file

    @property
    def device_options(self) -> DeviceOptions:
        """How an accelerator is used."""
        return DeviceOptions(
            number=self.device,
            memory_mib=self.device_memory,
            engine_cache=self.engine_cache,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings; a variable that is unset or empty leaves the default.

        Raises:
            SettingsError: A variable with the prefix is no setting, or its value does not do; the
                message names each such variable.
        """
        environment = os.environ if environment is None else environment
        if unknown := "\n".join(_unknown(environment, cls.model_fields)):
            raise SettingsError(unknown)
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


def _unknown(environment: Mapping[str, str], fields: Mapping[str, object]) -> Iterator[str]:
    """Describe every variable with the prefix that no setting is read from."""
    settings = [name.upper() for name in fields]
    for name in sorted(environment):
        if (
            not name.startswith(PREFIX)
            or name.removeprefix(PREFIX) in settings
            or _RESERVED.fullmatch(name)
            or _SERVICE_LINK.fullmatch(name)
        ):
            continue
        near = get_close_matches(name.removeprefix(PREFIX), settings, n=1)
        listed = ", ".join(PREFIX + setting for setting in settings)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else f"settings are {listed}."
        yield f"{name}: there is no such setting; {hint}"
