"""Load tests and measurements: how fast the service is, beside its ceiling and its peers."""
