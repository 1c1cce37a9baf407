"""One bulk responder for each responder of a test session."""

import functools

from service.bulk.responder import BulkResponder
from service.responder import Responder


@functools.cache
def bulk_of(responder: Responder) -> BulkResponder:
    """Return the bulk responder of a model; always the same one, so that tests can change its limits."""
    return BulkResponder.from_responder(responder)
