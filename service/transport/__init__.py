"""Connections: accepting, balancing between workers, and the fast path."""
