"""Commands that fit, compare and report models."""
