"""One look for report, documents and desk: colours, type and spacing, in light and dark."""
