"""Comparisons, searches and the reproduction of published tables."""
