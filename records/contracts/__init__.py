"""The contracts that ship with Bellwether, one TOML file each."""
