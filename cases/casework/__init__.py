"""What people do about students: cases by events, interventions, notes, overrides, messages."""
