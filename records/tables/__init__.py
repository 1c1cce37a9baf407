"""Tables of records: reading, checking, assembling, writing."""
