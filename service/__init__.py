"""The BentoML service: bundle -> answers over HTTP; wire format, errors, readiness, model store."""
