"""Formats of tables: one codec each, all behind `records.tables.formats`."""
