"""The bundle on disk: manifest, checksums, reading."""
