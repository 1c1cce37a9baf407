"""Scoring of files and tables beyond one request."""
