"""Files on disk: replacing what is ours, reading TOML."""
