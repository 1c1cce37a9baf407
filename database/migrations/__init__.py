"""Alembic's environment and the revisions of the desk's database, in one history."""
