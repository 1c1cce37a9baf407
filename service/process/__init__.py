"""What concerns a server process as a whole: its memory, what workers inherit, a trial start."""
