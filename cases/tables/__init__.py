"""Tables of the cases room; importing this package registers them all with the declarative base."""

from cases.tables import calendar, events, notes, people, records, views

__all__ = ["calendar", "events", "notes", "people", "records", "views"]
