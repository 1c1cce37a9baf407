"""Fit networks, calibrate them and learn their intervals."""
