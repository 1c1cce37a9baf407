"""The `bellwether` command: one file per stage, each a few lines that call a room."""
