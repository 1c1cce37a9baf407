"""From a cohort to what networks learn from: splits, statistics, outliers, targets."""
