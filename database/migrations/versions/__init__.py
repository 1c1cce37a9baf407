"""Revisions, each named by number and topic."""
