"""Every route of the service, in one table. Nothing else compares paths.

The front dispatches by it, metrics and traces take their labels from it, the OpenAPI document and
the error for an unknown path list it, and the fast path takes its one target from it.
"""

from dataclasses import dataclass

from service.auth import Scope

READ = ("GET", "HEAD")
# BentoML's clients ask by POST for what others read by GET.
READ_OR_POST = (*READ, "POST")


@dataclass(frozen=True, slots=True)
class Route:
    """One path.

    Attributes:
        path: The path, and its label in metrics and traces.
        methods: Methods that it takes.
        is_open: Whether everyone may ask, without authorization.
        is_traced: Whether its requests get spans of ours.
        scope: What a token has to be for, where the service has tokens.
    """

    path: str
    methods: tuple[str, ...]
    is_open: bool = False
    is_traced: bool = False
    scope: Scope = Scope.SCORE


SCORE = Route("/score", ("POST",), is_traced=True)
BULK = Route("/score/bulk", ("POST",), is_traced=True)
WHAT_IF = Route("/what-if", ("POST",), is_traced=True)
CONTRACT = Route("/contract", READ_OR_POST, scope=Scope.READ)
POLICY = Route("/policy", READ_OR_POST, scope=Scope.READ)
MODEL = Route("/model", READ_OR_POST, scope=Scope.READ)
CARD = Route("/card", READ, scope=Scope.READ)
INDEX = Route("/", READ, is_open=True)
DOCS = Route("/docs", READ, is_open=True)
READY = Route("/readyz", READ, is_open=True)
LIVE = Route("/livez", READ, is_open=True)
HEALTH = Route("/healthz", READ, is_open=True)
METRICS = Route("/metrics", READ, is_open=True)
SCHEMA = Route("/schema.json", READ, is_open=True)
OPENAPI = Route("/docs.json", READ, is_open=True)
# What the page of `DOCS` loads, of all that BentoML has in this folder.
ASSETS = tuple(
    Route(f"/static_content/{name}", READ, is_open=True)
    for name in (
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-initializer.js",
    )
)

# Routes whose requests we answer and count; BentoML answers the others.
OURS = (SCORE, BULK, WHAT_IF, CONTRACT, POLICY, MODEL, CARD, INDEX, DOCS)
BENTOML = (READY, LIVE, HEALTH, METRICS, SCHEMA, OPENAPI, *ASSETS)
ROUTES = {route.path: route for route in (*OURS, *BENTOML)}
