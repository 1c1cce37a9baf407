"""The shipped policies, one TOML file a contract; `docs/policy.md` says how to edit them."""
