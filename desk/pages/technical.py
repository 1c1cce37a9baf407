"""Static files, and whether the desk is alive and ready."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from database.migrate import current_revision, newest_revision
from desk.context import Desk
from desk.rendering import fingerprint, static_file

_FOREVER = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=300"


def static(request: Request) -> Response:
    """Answer with a static file; named with its fingerprint it can be stored for ever."""
    name = str(request.path_params["name"])
    found = static_file(name)
    if found is None:
        return Response(status_code=404)
    content, kind = found
    is_named = request.query_params.get("v") == fingerprint(name)
    headers = {"cache-control": _FOREVER if is_named else _SHORT}
    return Response(content, media_type=kind, headers=headers)


def alive(_: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "alive"})


def readiness(desk: Desk) -> Response:
    """Say whether pages can be shown: the database answers and has the tables of this version."""
    try:
        with desk.database.read() as session:
            session.execute(text("SELECT 1"))
        revision = current_revision(desk.database)
    except SQLAlchemyError:
        return JSONResponse({"status": "not ready", "reason": "database"}, 503)
    if revision != newest_revision():
        return JSONResponse({"status": "not ready", "reason": "migrations"}, 503)
    return JSONResponse({"status": "ready", "scorer": desk.scorer.is_ready()})
