"""Naive rows and strong baselines that every table prints."""
