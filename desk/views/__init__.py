"""View models: everything that a page shows, wording included, as frozen values."""
