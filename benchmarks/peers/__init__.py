"""Bellwether beside other servers: the same graph, hardware and load, in interleaved rounds."""
