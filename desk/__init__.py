"""The desk: API and pages for people, a client of the scoring service."""
