"""Tiers and rules: which deficiency leads to which recommendation."""
