"""The audit trail: append-only, chained by hashes, readable without what was erased."""
