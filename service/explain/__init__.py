"""Reasons and what-if over HTTP: admitted by estimated work, done in steps beside plain scores."""
