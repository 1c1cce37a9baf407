"""Work on the store as a whole: rebuild, erasure, retention, the scheduler's tick, backups."""
