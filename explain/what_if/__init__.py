"""What-if: what the model would estimate in changed futures."""
