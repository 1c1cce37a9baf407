"""Let services that depend on Bellwether call it by JSON.

BentoML's dependents send pickles to the services that they start, and any process that reaches the
socket of such a service could send one that runs code in it. Bellwether takes none (`service.asgi`), so
`bentoml.depends(Bellwether)` has to call it as every other client does. BentoML has no setting for
that; the dependency's client has an attribute that says how it encodes.
"""

from typing import Any

from _bentoml_impl.client import RemoteProxy  # type: ignore[import-untyped]
from _bentoml_sdk import Service  # type: ignore[import-untyped]
from _bentoml_sdk.service.dependency import Dependency  # type: ignore[import-untyped]

_JSON = "application/json"


def call_by_json(service: type[Service[Any]]) -> None:
    """Have dependencies on a service of this class encode their calls as JSON."""
    get = Dependency.get

    def get_by_json(self: Dependency[Any], **options: Any) -> Any:
        target = get(self, **options)
        if isinstance(self.on, service) and isinstance(target, RemoteProxy):
            target.to_async.media_type = _JSON
        return target

    Dependency.get = get_by_json
