"""The desk's composition root: builds every part once, and mounts what the route table lists."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from access.keys import DeskKeys, load_secret
from access.operation import AccessContext
from access.sign_in.openid import OpenIdProvider
from database.base import utc_now
from database.migrate import upgrade
from database.store import open_database
from desk.context import Desk
from desk.dispatch import endpoint
from desk.facts import FactsSource
from desk.pages import technical
from desk.pages.errors import error_page
from desk.rendering import Renderer
from desk.routes import ROUTES
from desk.scoring_client import ScorerClient
from desk.security import Cookies, SecurityHeaders
from desk.settings import Settings


def build(settings: Settings, now: Callable[[], datetime] = utc_now) -> Desk:
    """Build the parts of the desk.

    Args:
        settings: What the operator chose.
        now: Clock; aware, in UTC.

    Raises:
        BellwetherError: The database or the secret cannot be used.
    """
    database = open_database(settings.database)
    if settings.migrate:
        upgrade(database)
    keys = DeskKeys.from_secret(load_secret(settings.secret_file))
    provider = None if settings.provider is None else OpenIdProvider(settings.provider)
    scorer = ScorerClient(settings.scorer, settings.scorer_token, settings.scorer_timeout)
    return Desk(
        settings=settings,
        database=database,
        access=AccessContext(database, keys),
        renderer=Renderer(settings.base_path),
        cookies=Cookies(is_secure=settings.is_secure),
        scorer=scorer,
        facts=FactsSource(scorer),
        now=now,
        provider=provider,
    )


def create_app(desk: Desk) -> ASGIApp:
    """Return the application: pages, static files, health, with its headers on every answer."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(desk.facts.refresh)
        yield
        desk.scorer.close()
        if desk.provider is not None:
            desk.provider.close()
        desk.database.close()

    app = FastAPI(
        title="Bellwether desk",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        root_path=desk.settings.base_path,
    )
    for route in ROUTES:
        app.add_route(route.path, endpoint(desk, route), list(route.methods))
    app.add_route("/static/{name:path}", technical.static, ["GET"])
    app.add_route("/livez", technical.alive, ["GET"])

    def ready(_: Request) -> Response:
        return technical.readiness(desk)

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return error_page(desk, request, status)

    app.add_route("/readyz", ready, ["GET"])
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, refused)
    # Outside of everything else: the page of a defect needs the headers too.
    return SecurityHeaders(app, is_secure=desk.settings.is_secure)
