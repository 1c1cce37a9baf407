"""Students' raw histories, checked and laid out as arrays."""
