"""The BentoML service: `bentoml serve service.app:Bellwether`."""

# BentoML's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, cast

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException
from pydantic import WithJsonSchema

from records.contract import Contract
from records.errors import BellwetherError
from scoring.policy.model import Policy
from service.asgi import Front, Parts
from service.bundle_store import NAME, find_bundle
from service.composition import build
from service.dry_run import dry_run
from service.explain.what_if import WhatIfAnswer
from service.http.bentoml_routes import BentoMLRoutes
from service.http.draining import Drain
from service.http.problems import RequestError
from service.http.schemas import ModelInfo, ScoreAnswer
from service.json_calls import call_by_json
from service.observability.metrics import show_model
from service.observability.metrics_folder import make_metrics_folder, use_metrics_folder
from service.observability.telemetry import switch_off_usage_reports
from service.openapi.document import OpenApiDocument, describe
from service.process import announced
from service.process.announced import Announced
from service.process.memory import keep_pandas_out, share_memory
from service.responder import Responder
from service.routes import OURS, WHAT_IF
from service.settings import Settings, SettingsError
from service.transport.connection_share import prepare
from service.transport.install import install

switch_off_usage_reports()
share_memory()
try:
    SETTINGS = Settings.from_environment()
except SettingsError as error:
    # BentoML shows an ImportError's message and no traceback.
    raise ImportError(f"settings: {error}") from None
announced.prepare()
if started := announced.announced():
    use_metrics_folder(started.metrics)
prepare(SETTINGS.workers)


class FrontedService(Service[Any]):  # type: ignore[misc]
    """A BentoML service behind our front, with our OpenAPI description."""

    responder: Responder | None = None

    def __call__(self) -> Any:
        """Load the service in this process."""
        instance = super().__call__()
        self.responder = instance.responder
        return instance

    def to_asgi(self, is_main: bool = True) -> Front:
        """Return the application that the server runs."""
        keep_pandas_out()
        app = super().to_asgi(is_main=is_main)
        front = Front(
            BentoMLRoutes(app, [route.path for route in OURS]),
            self._build,
            drain=Drain(SETTINGS.drain_seconds),
            cors=_cors(),
        )
        install(front, SETTINGS)
        return front

    def _build(self) -> Parts:
        if self.responder is None:
            raise RuntimeError("BentoML starts an application after it has loaded its service")
        return build(self.responder, SETTINGS)

    @cached_property
    def openapi_spec(self) -> OpenApiDocument:
        """Describe the routes; outside of a server (`bentoml build`) the bundle is loaded first."""
        return describe(self.responder or _load())


call_by_json(FrontedService)


class StudentsRefusedError(BentoMLException):
    """A request that cannot be answered, as BentoML reports it to a service that depends on us."""


# BentoML's clients read these schemas, drop fields that a schema does not list (so that a misspelt
# feature would silently count as missing) and fail on null where it lists an array or null. So no
# fields are listed: everything passes as it is, and `/docs.json` describes it.
_AS_IT_IS = WithJsonSchema({"type": "object"})
Students = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "object"},
            "description": "Students: `id` and `periods`, each with `period` and features.",
        }
    ),
]
Option = Annotated[Any, WithJsonSchema({"type": "boolean"})]
# A word or an object: named as what it holds by default, so that BentoML's clients pass both.
View = Annotated[Any, WithJsonSchema({"description": "true, false, 'level' or 'change'."})]
Student = Annotated[Any, WithJsonSchema({"type": "object", "description": "As in `students`."})]
Periods = Annotated[Any, WithJsonSchema({"type": "integer"})]
# Null is not listed, and so passes.
Futures = Annotated[Any, WithJsonSchema({"description": "Presets and changes, or null."})]
Bound = Annotated[Any, WithJsonSchema({"description": "A probability, or null."})]
Reference = Annotated[
    Any,
    WithJsonSchema(
        {"description": "'bundle', 'batch', 'sent', or what `bellwether reference` writes."}
    ),
]


@bentoml.service(
    name=NAME,
    service_class=FrontedService,
    workers=SETTINGS.workers,
    # Loopback alone, with or without tokens; `--host` or BENTOML_HOST says otherwise.
    http={"host": "127.0.0.1"},
)
class Bellwether:
    """Early, explained, actionable warnings from students' period-by-period records."""

    def __init__(self) -> None:
        self.responder = _load()
        show_model(self.responder.info)

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Refuse to start where the workers could not answer."""
        try:
            folder = _folder()
            digest = dry_run(folder)
            announced.announce(Announced(str(folder), digest, make_metrics_folder()))
        except BellwetherError as error:
            raise BentoMLException(str(error)) from None

    @bentoml.api
    def score(  # noqa: PLR0917 - fields of a request
        self,
        students: Students,
        recommendations: Option = True,
        forecast: Option = True,
        reference: Reference = "bundle",
        reasons: View = False,
        estimates: Option = False,
    ) -> Annotated[ScoreAnswer, _AS_IT_IS]:
        """Assess one or many students at the end of the last period sent."""
        try:
            return self.responder.score_students(
                students, recommendations, forecast, reference, reasons, estimates
            )
        except RequestError as refusal:
            raise _relayed(refusal) from None

    @bentoml.api(route=WHAT_IF.path)
    def what_if(  # noqa: PLR0917 - fields of a request
        self,
        student: Student,
        periods: Periods = 2,
        futures: Futures = None,
        recourse: Option = True,
        below: Bound = None,
        reference: Reference = "bundle",
    ) -> Annotated[WhatIfAnswer, _AS_IT_IS]:
        """Ask what the model would estimate in several futures of one student."""
        fields = {
            "student": student,
            "periods": periods,
            "futures": futures,
            "recourse": recourse,
            "below": below,
            "reference": reference,
        }
        try:
            return self.responder.what_if.answer(fields)
        except RequestError as refusal:
            raise _relayed(refusal) from None

    @bentoml.api
    def contract(self) -> Annotated[Contract, _AS_IT_IS]:
        """Say what a student's record holds, feature by feature."""
        return self.responder.bundle.contract

    @bentoml.api
    def policy(self) -> Annotated[Policy, _AS_IT_IS]:
        """Say which deficiency leads to which advice, and where the tiers begin."""
        return self.responder.bundle.policy

    @bentoml.api
    def model(self) -> Annotated[ModelInfo, _AS_IT_IS]:
        """Say which model is loaded, where it runs and since when."""
        return self.responder.info

    def __is_ready__(self) -> bool:
        """Whether the model runs on the provider that was asked for; it is warm once it exists."""
        return self.responder.unready is None


def _relayed(refusal: RequestError) -> StudentsRefusedError:
    """Return a rejection as BentoML reports it."""
    return StudentsRefusedError(refusal.body().decode(), error_code=HTTPStatus(refusal.status))


def _cors() -> Mapping[str, object] | None:
    """Return the options of BentoML's `http.cors`, where that is on."""
    if not BentoMLContainer.http.cors.enabled.get():
        return None
    return BentoMLContainer.access_control_options.get()


def _load() -> Responder:
    """Load the bundle that the service was started with."""
    responder = Responder(Path(started.folder) if started else _folder(), SETTINGS)
    announced.check(responder.info.digest)
    return responder


def _folder() -> Path:
    """Find the bundle: the one that was chosen, or packed into the bento, or saved last."""
    bento = cast("FrontedService", Bellwether).bento
    packed = bento.info.all_models if bento else ()
    tags = [str(model.tag) for model in packed if model.tag.name == NAME]
    return find_bundle(SETTINGS.bundle or next(iter(tags), "latest"))
