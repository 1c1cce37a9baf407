"""Engine, sessions and the one migration history of the desk's database."""
