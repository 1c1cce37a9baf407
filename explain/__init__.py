"""Reasons and what-if: how much each feature group raises or lowers a risk, and what a changed future would give."""
