"""Commands on records and contracts."""
