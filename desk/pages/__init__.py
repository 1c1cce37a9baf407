"""Handlers of the pages: check the right, call cases, show a view."""
