"""The report of a run: tables, figures, one HTML file to read or print."""
