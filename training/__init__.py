"""From a cohort to a fitted run: preprocessing, networks, splits, fitting, metrics, baselines."""
