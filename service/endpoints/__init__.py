"""What answers a route over ASGI and, for `score`, on the fast path."""
