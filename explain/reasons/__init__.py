"""Reasons: when an estimate moved, and what counts towards it."""
