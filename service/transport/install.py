"""Have uvicorn, which BentoML starts, use this package's protocol and event loop."""

import functools
from typing import Any, cast

import uvicorn.config

from service.asgi import Front
from service.settings import Settings
from service.transport.accepting import loop_factory
from service.transport.fast_path import ScoreProtocol
from service.transport.http_protocol import Timeouts


def install(front: Front, settings: Settings) -> None:
    """Replace what uvicorn chooses by itself; BentoML leaves both to it."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = protocol(front, settings)
    uvicorn.config.LOOP_FACTORIES["auto"] = f"{loop_factory.__module__}:{loop_factory.__name__}"


def protocol(front: Front, settings: Settings) -> Any:
    """Return what makes the protocol of a connection, as uvicorn's `http` takes it."""
    return cast(
        "Any",
        functools.partial(
            ScoreProtocol,
            front=front if settings.fast_path else None,
            drain=front.drain,
            timeouts=Timeouts(idle=settings.idle_seconds, head=settings.head_seconds),
        ),
    )
