"""Charts as SVG without scripts: geometry here, drawn by the templates of the same names.

Each has a title, one sentence that says what it shows, and its numbers as a table beside it.
"""
