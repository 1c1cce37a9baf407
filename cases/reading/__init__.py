"""Queries for screens; every one applies the caller's scope in SQL."""
