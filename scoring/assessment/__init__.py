"""Scores to assessments: tiers, trajectory, forecast, outliers, recommendations."""
