"""Ways to sign in: passwords with an optional second factor, one-time links, OpenID providers."""
