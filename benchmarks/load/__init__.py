"""Load tests against a running server."""
