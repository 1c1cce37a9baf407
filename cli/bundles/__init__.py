"""Commands on bundles and policies."""
